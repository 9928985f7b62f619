#include "heads.h"

#include "blocks.h"

namespace furrow::segmentation {

torch::Tensor class_logits(const torch::Tensor& extent, const torch::Tensor& boundary) {
  const torch::Tensor no_boundary = torch::log_sigmoid(-boundary);
  return torch::cat({no_boundary + torch::log_sigmoid(-extent), no_boundary + torch::log_sigmoid(extent),
                     torch::log_sigmoid(boundary)},
                    1);
}

MultiTaskHeadImpl::MultiTaskHeadImpl(std::int64_t channels) {
  extent = register_module("extent", conv1x1(channels, 1));
  boundary = register_module("boundary", conv1x1(channels, 1));
  distance = register_module("distance", conv1x1(channels, 1));
}

torch::Tensor MultiTaskHeadImpl::logits(const torch::Tensor& features) {
  return class_logits(extent(features), boundary(features));
}

NetworkOutput MultiTaskHeadImpl::forward(const torch::Tensor& features) {
  return {logits(features), torch::sigmoid(distance(features))};
}

}  // namespace furrow::segmentation
