#include "device_turn.h"

#include <semaphore>

#include <c10/core/impl/VirtualGuardImpl.h>

namespace furrow::segmentation {
namespace {

std::counting_semaphore<>& places() {
  static std::counting_semaphore<> instance(DeviceTurn::kMostAtOnce);
  return instance;
}

}  // namespace

DeviceTurn::DeviceTurn(const torch::Device& device) {
  if (device.is_cpu()) return;
  places().acquire();
  try {
    const c10::impl::VirtualGuardImpl devices(device.type());
    m_stream.emplace(devices.getStreamFromGlobalPool(devices.getDevice()));
  } catch (...) {
    places().release();
    throw;
  }
}

DeviceTurn::~DeviceTurn() {
  if (!m_stream) return;
  m_stream.reset();
  places().release();
}

torch::Tensor on_device(const torch::Tensor& pixels, const torch::Device& device, torch::Dtype type) {
  if (device.is_cpu()) return pixels.to(type, false, false, torch::MemoryFormat::ChannelsLast);
  return pixels.pin_memory().to(device, true).to(type, false, false, torch::MemoryFormat::ChannelsLast);
}

}  // namespace furrow::segmentation
