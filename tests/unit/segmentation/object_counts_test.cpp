#include "object_counts.h"

#include <cmath>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

namespace furrow::segmentation {
namespace {

constexpr std::int64_t kCols = 16;

/// '.' background, 'i' interior, 'b' boundary, '?' ignored
std::vector<std::uint8_t> labels_of(std::string_view text) {
  std::vector<std::uint8_t> labels;
  for (const char c : text) {
    if (c == '.') labels.push_back(0);
    if (c == 'i') labels.push_back(1);
    if (c == 'b') labels.push_back(2);
    if (c == '?') labels.push_back(255);
  }
  return labels;
}

/// Logits of a network that is sure of `labels`.
std::vector<float> sure_of(const std::vector<std::uint8_t>& labels) {
  std::vector<float> logits(labels.size() * 3, 0.0f);
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (labels[i] < 3) logits[3 * i + labels[i]] = 20.0f;
  }
  return logits;
}

ObjectCounts count(const std::vector<std::uint8_t>& predicted, const std::vector<std::uint8_t>& labels) {
  geo::ExecContext exec({2, 0});
  return count_objects(sure_of(predicted), labels, kCols, 10.0, exec);
}

// Two fields of 7 x 5 px, their boundary included, side by side with one line of boundary each.
const std::vector<std::uint8_t> kTwoFields = labels_of(R"(
................
.bbbbbbbbbbbbbb.
.biiiiibbiiiiib.
.biiiiibbiiiiib.
.biiiiibbiiiiib.
.bbbbbbbbbbbbbb.
................
................)");

void expect_counts(const ObjectCounts& counts, std::int64_t labelled, std::int64_t predicted,
                   std::int64_t matched) {
  EXPECT_EQ(counts.labelled, labelled);
  EXPECT_EQ(counts.predicted, predicted);
  EXPECT_EQ(counts.matched, matched);
}

TEST(ObjectCounts, TheLabelsThemselvesScoreOne) {
  const ObjectCounts counts = count(kTwoFields, kTwoFields);
  expect_counts(counts, 2, 2, 2);
  EXPECT_EQ(counts.f1(), 1.0);
}

TEST(ObjectCounts, FieldsGrownTogetherMatchNeither) {
  std::vector<std::uint8_t> merged = kTwoFields;
  for (std::size_t row = 2; row < 5; ++row) merged[row * kCols + 7] = merged[row * kCols + 8] = 1;
  // IoU of the 70 px with either field of 35 px is 0.5, which is not above 0.5.
  const ObjectCounts counts = count(merged, kTwoFields);
  expect_counts(counts, 2, 1, 0);
  EXPECT_EQ(counts.f1(), 0.0);
}

TEST(ObjectCounts, HalfOfAFieldAndOneMoreColumnMatches) {
  std::vector<std::uint8_t> part = kTwoFields;
  const auto clear = [&part](std::size_t columns) {
    for (std::size_t row = 0; row < 8; ++row) {
      for (std::size_t col = 0; col < columns; ++col) part[row * kCols + col] = 0;
    }
  };
  clear(4);  // columns 1..3 are gone: 20 of 35 px
  expect_counts(count(part, kTwoFields), 2, 2, 2);
  clear(5);  // 15 of 35 px
  const ObjectCounts counts = count(part, kTwoFields);
  expect_counts(counts, 2, 2, 1);
  EXPECT_DOUBLE_EQ(counts.f1(), 0.5);
}

TEST(ObjectCounts, IgnoredPixelsBelongToNoField) {
  std::vector<std::uint8_t> labels = kTwoFields;
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (i % kCols >= 8) labels[i] = 255;
  }
  expect_counts(count(kTwoFields, labels), 1, 1, 1);
}

TEST(ObjectCounts, WithoutLabelledFieldsThereIsNoFigure) {
  const std::vector<std::uint8_t> none(kTwoFields.size(), 0);
  const ObjectCounts counts = count(kTwoFields, none);
  expect_counts(counts, 0, 2, 0);
  EXPECT_TRUE(std::isnan(counts.f1()));
  expect_counts(count(none, kTwoFields), 2, 0, 0);
}

TEST(ObjectCounts, SmallPatchesAreNoFields) {
  std::vector<std::uint8_t> speckled = kTwoFields;
  for (std::size_t col = 1; col < 5; ++col) speckled[7 * kCols + col] = 1;  // 4 px
  expect_counts(count(speckled, kTwoFields), 2, 2, 2);
}

TEST(ObjectCounts, SumsCountAllWindowsTogether) {
  ObjectCounts sum{3, 5, 2};
  sum += {1, 0, 0};
  expect_counts(sum, 4, 5, 2);
  EXPECT_DOUBLE_EQ(sum.f1(), 4.0 / 9.0);
}

}  // namespace
}  // namespace furrow::segmentation
