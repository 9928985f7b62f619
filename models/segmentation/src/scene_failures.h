#pragma once

#include <cstddef>
#include <exception>
#include <mutex>
#include <vector>

#include <furrow/geo/core/error.h>

namespace furrow::segmentation {

/// Collects what goes wrong with single scenes while work on the others goes on. Thread-safe; which error is
/// kept does not depend on threads.
class SceneFailures {
 public:
  explicit SceneFailures(std::size_t scenes) : m_scenes(scenes) {}

  /// Does the work of one item of a scene. What its files cause is kept: of several items the error of the
  /// first. @return false when it failed
  /// @throws geo::Cancelled, geo::InvalidArgument  they do not come from the scene's files
  template <class Work>
  bool try_scene(std::size_t scene, std::size_t item, const Work& work) {
    try {
      work();
      return true;
    } catch (const geo::Cancelled&) {
      throw;
    } catch (const geo::InvalidArgument&) {
      throw;
    } catch (const geo::Error&) {
      const std::scoped_lock lock(m_mutex);
      Failure& kept = m_scenes[scene];
      if (!kept.error || item < kept.item) kept = {std::current_exception(), item};
      return false;
    }
  }

  [[nodiscard]] bool any() const {
    for (const Failure& failure : m_scenes) {
      if (failure.error) return true;
    }
    return false;
  }
  /// nullptr = nothing went wrong.
  [[nodiscard]] std::exception_ptr error_of(std::size_t scene) const { return m_scenes[scene].error; }
  [[nodiscard]] std::size_t scenes() const noexcept { return m_scenes.size(); }

 private:
  struct Failure {
    std::exception_ptr error;
    std::size_t item = 0;
  };
  std::mutex m_mutex;
  std::vector<Failure> m_scenes;
};

}  // namespace furrow::segmentation
