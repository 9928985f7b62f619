#include "metrics_json.h"

#include <cmath>
#include <limits>

namespace furrow::segmentation {

using nlohmann::json;

namespace {

double number_from(const json& value) {
  return value.is_null() ? std::numeric_limits<double>::quiet_NaN() : value.get<double>();
}

}  // namespace

json number_json(double value) {
  return std::isfinite(value) ? json(value) : json(nullptr);
}

json epoch_json(const EpochMetrics& epoch) {
  return {{"epoch", epoch.epoch},
          {"learning_rate", number_json(epoch.learning_rate)},
          {"train_loss", number_json(epoch.train_loss)},
          {"val_loss", number_json(epoch.val_loss)},
          {"val_iou_extent", number_json(epoch.val_iou_extent)},
          {"val_iou_background", number_json(epoch.val_iou[0])},
          {"val_iou_interior", number_json(epoch.val_iou[1])},
          {"val_iou_boundary", number_json(epoch.val_iou[2])},
          {"val_object_f1", number_json(epoch.val_object_f1)}};
}

EpochMetrics epoch_from_json(const json& object) {
  EpochMetrics epoch;
  epoch.epoch = object.at("epoch").get<std::int64_t>();
  epoch.learning_rate = number_from(object.at("learning_rate"));
  epoch.train_loss = number_from(object.at("train_loss"));
  epoch.val_loss = number_from(object.at("val_loss"));
  epoch.val_iou_extent = number_from(object.at("val_iou_extent"));
  epoch.val_iou = {number_from(object.at("val_iou_background")), number_from(object.at("val_iou_interior")),
                   number_from(object.at("val_iou_boundary"))};
  epoch.val_object_f1 = number_from(object.at("val_object_f1"));
  return epoch;
}

}  // namespace furrow::segmentation
