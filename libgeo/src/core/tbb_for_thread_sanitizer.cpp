// Only part of builds with the thread sanitizer. The TBB library is not built with it, so the sanitizer sees
// neither that a task begins after it was spawned nor that an algorithm returns after its tasks ended, and
// reports every result as a race. The functions here stand before those of the same name in the library (the
// linker finds them first), tell the sanitizer of the order, and call the library's. What is reported then is
// a race between tasks.
#include <dlfcn.h>
#include <sanitizer/tsan_interface.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <new>
#include <utility>

#include <oneapi/tbb/parallel_for.h>
#include <oneapi/tbb/parallel_pipeline.h>
#include <oneapi/tbb/task_arena.h>

namespace tbb::detail {
namespace {

/// The library's own function of that name.
template <class Function>
Function* library(const char* name) {
  void* found = dlsym(RTLD_NEXT, name);
  if (found == nullptr) {
    std::fprintf(stderr, "thread sanitizer: the TBB library has no %s\n", name);
    std::abort();
  }
  return reinterpret_cast<Function*>(found);
}

/// At the end of a scope, also where an exception leaves it.
struct ReleaseAtEnd {
  void* place;
  ~ReleaseAtEnd() { __tsan_release(place); }
};
struct AcquireAtEnd {
  void* place;
  ~AcquireAtEnd() { __tsan_acquire(place); }
};

/// Goes to the library in place of a task, and runs it after everything that its maker did before.
class Announced final : public d1::task {
 public:
  static d1::task& of(d1::task& task) {
    auto* announced = new Announced(task);
    __tsan_release(announced);
    return *announced;
  }
  d1::task* execute(d1::execution_data& data) override {
    __tsan_acquire(this);
    d1::task* next = m_task.execute(data);
    delete this;  // as tasks do; when the task throws, the library cancels it
    return next;
  }
  d1::task* cancel(d1::execution_data& data) override {
    __tsan_acquire(this);
    d1::task* next = m_task.cancel(data);
    delete this;
    return next;
  }

 private:
  explicit Announced(d1::task& announced) : m_task(announced) {}

  d1::task& m_task;
};

/// The same for a function that an arena runs, maybe on another thread; the caller waits for it.
class AnnouncedFunction final : public d1::delegate_base {
 public:
  explicit AnnouncedFunction(d1::delegate_base& function) : m_function(function) {
    __tsan_release(&function);
  }
  bool operator()() const override {
    __tsan_acquire(&m_function);
    const ReleaseAtEnd end{&m_function};
    return m_function();
  }

 private:
  d1::delegate_base& m_function;
};

/// Tasks announce their end in the count of those that are waited for, the second member, with atomics that
/// the sanitizer sees.
AcquireAtEnd acquire_results(d1::wait_context& context) {
  static_assert(sizeof(d1::wait_context) == 2 * sizeof(std::uint64_t));
  return {reinterpret_cast<std::byte*>(&context) + sizeof(std::uint64_t)};
}

struct Pipeline {
  std::uint64_t start = 0;
  std::uint64_t end = 0;
  std::size_t stages = 0;
  std::array<std::uint64_t, 4096> places{};

  /// Where an item waits for a stage. The library passes items as pointers or as small numbers.
  void* place_of(void* item, std::size_t stage) {
    return &places[(std::hash<void*>{}(item) + stage * 1013) % places.size()];
  }
};

/// Goes to the library in place of a pipeline's filter. An item comes after the stage before it, a serial
/// stage after its last item, everything after the start of the pipeline and before its end.
class AnnouncedFilter final : public d1::base_filter {
 public:
  AnnouncedFilter(d1::base_filter& filter, Pipeline& pipeline)
      : d1::base_filter(mode_of(filter)),
        m_filter(filter),
        m_pipeline(pipeline),
        m_number(pipeline.stages++) {
    __tsan_release(this);
  }
  ~AnnouncedFilter() override {
    __tsan_acquire(&m_pipeline.end);
    m_filter.~base_filter();
    r1::deallocate_memory(&m_filter);
    __tsan_release(this);  // the library gives its memory back
  }
  void* operator()(void* item) override {
    __tsan_acquire(this);
    __tsan_acquire(&m_pipeline.start);
    const bool first = object_may_be_null();  // gets no item
    if (!first) __tsan_acquire(m_pipeline.place_of(item, m_number));
    s_running = this;
    const ReleaseAtEnd end{&m_pipeline.end};
    void* result = m_filter(item);
    if (is_serial()) __tsan_release(this);
    __tsan_release(m_pipeline.place_of(result, m_number + 1));
    return result;
  }
  void finalize(void* item) override {
    __tsan_acquire(this);
    __tsan_acquire(&m_pipeline.start);
    __tsan_acquire(m_pipeline.place_of(item, m_number));
    const ReleaseAtEnd end{&m_pipeline.end};
    m_filter.finalize(item);
  }
  /// The filter of the library's list that runs in this thread.
  static AnnouncedFilter& running() { return *s_running; }

 private:
  static unsigned mode_of(d1::base_filter& filter) {
    unsigned mode = filter.is_serial() ? filter_is_serial : 0U;
    if (filter.is_serial() && !filter.is_ordered()) mode |= filter_is_out_of_order;
    return filter.object_may_be_null() ? mode | filter_may_emit_null : mode;
  }

  inline static thread_local AnnouncedFilter* s_running = nullptr;
  d1::base_filter& m_filter;
  Pipeline& m_pipeline;
  std::size_t m_number;  ///< of the stage
};

template <class T, class... Arguments>
T* in_librarys_memory(Arguments&&... arguments) {
  return new (r1::allocate_memory(sizeof(T))) T(std::forward<Arguments>(arguments)...);
}

class AnnouncedStage final : public d1::filter_node {
 public:
  AnnouncedStage(const d1::filter_node& stage, Pipeline& pipeline) : m_stage(stage), m_pipeline(pipeline) {}
  d1::base_filter* create_filter() const override {
    return in_librarys_memory<AnnouncedFilter>(*m_stage.create_filter(), m_pipeline);
  }

 private:
  const d1::filter_node& m_stage;
  Pipeline& m_pipeline;
};

d1::filter_node_ptr announced_stages(const d1::filter_node& node, Pipeline& pipeline) {
  if (node.left && node.right) {
    return in_librarys_memory<d1::filter_node>(announced_stages(*node.left, pipeline),
                                               announced_stages(*node.right, pipeline));
  }
  return in_librarys_memory<AnnouncedStage>(node, pipeline);
}

}  // namespace

namespace r1 {

void spawn(d1::task& task, d1::task_group_context& context) {
  static auto* const next = library<void(d1::task&, d1::task_group_context&)>(
      "_ZN3tbb6detail2r15spawnERNS0_2d14taskERNS2_18task_group_contextE");
  next(Announced::of(task), context);
}

void spawn(d1::task& task, d1::task_group_context& context, d1::slot_id slot) {
  static auto* const next = library<void(d1::task&, d1::task_group_context&, d1::slot_id)>(
      "_ZN3tbb6detail2r15spawnERNS0_2d14taskERNS2_18task_group_contextEt");
  next(Announced::of(task), context, slot);
}

void submit(d1::task& task, d1::task_group_context& context, arena* where, std::uintptr_t as_critical) {
  static auto* const next = library<void(d1::task&, d1::task_group_context&, arena*, std::uintptr_t)>(
      "_ZN3tbb6detail2r16submitERNS0_2d14taskERNS2_18task_group_contextEPNS1_5arenaEm");
  next(Announced::of(task), context, where, as_critical);
}

void execute_and_wait(d1::task& task, d1::task_group_context& task_context, d1::wait_context& waited_for,
                      d1::task_group_context& context) {
  static auto* const next = library<void(d1::task&, d1::task_group_context&, d1::wait_context&,
                                         d1::task_group_context&)>(
      "_ZN3tbb6detail2r116execute_and_waitERNS0_2d14taskERNS2_18task_group_contextERNS2_12wait_contextES6_");
  const AcquireAtEnd end = acquire_results(waited_for);
  next(task, task_context, waited_for, context);
}

void wait(d1::wait_context& waited_for, d1::task_group_context& context) {
  static auto* const next = library<void(d1::wait_context&, d1::task_group_context&)>(
      "_ZN3tbb6detail2r14waitERNS0_2d112wait_contextERNS2_18task_group_contextE");
  const AcquireAtEnd end = acquire_results(waited_for);
  next(waited_for, context);
}

void execute(d1::task_arena_base& where, d1::delegate_base& function) {
  static auto* const next = library<void(d1::task_arena_base&, d1::delegate_base&)>(
      "_ZN3tbb6detail2r17executeERNS0_2d115task_arena_baseERNS2_13delegate_baseE");
  AnnouncedFunction announced(function);
  const AcquireAtEnd end{&function};
  next(where, announced);
}

void parallel_pipeline(d1::task_group_context& context, std::size_t tokens, const d1::filter_node& node) {
  static auto* const next = library<void(d1::task_group_context&, std::size_t, const d1::filter_node&)>(
      "_ZN3tbb6detail2r117parallel_pipelineERNS0_2d118task_group_contextEmRKNS2_11filter_nodeE");
  Pipeline pipeline;
  const d1::filter_node_ptr stages = announced_stages(node, pipeline);
  __tsan_release(&pipeline.start);
  const AcquireAtEnd end{&pipeline.end};
  next(context, tokens, *stages);
}

void set_end_of_input(d1::base_filter&) {
  static auto* const next =
      library<void(d1::base_filter&)>("_ZN3tbb6detail2r116set_end_of_inputERNS0_2d111base_filterE");
  next(AnnouncedFilter::running());
}

// Memory that one thread gave back and another got.

void* allocate(d1::small_object_pool*& pool, std::size_t bytes, const d1::execution_data& data) {
  static auto* const next = library<void*(d1::small_object_pool*&, std::size_t, const d1::execution_data&)>(
      "_ZN3tbb6detail2r18allocateERPNS0_2d117small_object_poolEmRKNS2_14execution_dataE");
  void* memory = next(pool, bytes, data);
  __tsan_acquire(memory);
  return memory;
}

void* allocate(d1::small_object_pool*& pool, std::size_t bytes) {
  static auto* const next = library<void*(d1::small_object_pool*&, std::size_t)>(
      "_ZN3tbb6detail2r18allocateERPNS0_2d117small_object_poolEm");
  void* memory = next(pool, bytes);
  __tsan_acquire(memory);
  return memory;
}

void deallocate(d1::small_object_pool& pool, void* memory, std::size_t bytes,
                const d1::execution_data& data) {
  static auto* const next =
      library<void(d1::small_object_pool&, void*, std::size_t, const d1::execution_data&)>(
          "_ZN3tbb6detail2r110deallocateERNS0_2d117small_object_poolEPvmRKNS2_14execution_dataE");
  __tsan_release(memory);
  next(pool, memory, bytes, data);
}

void deallocate(d1::small_object_pool& pool, void* memory, std::size_t bytes) {
  static auto* const next = library<void(d1::small_object_pool&, void*, std::size_t)>(
      "_ZN3tbb6detail2r110deallocateERNS0_2d117small_object_poolEPvm");
  __tsan_release(memory);
  next(pool, memory, bytes);
}

void* allocate_memory(std::size_t bytes) {
  static auto* const next = library<void*(std::size_t)>("_ZN3tbb6detail2r115allocate_memoryEm");
  void* memory = next(bytes);
  __tsan_acquire(memory);
  return memory;
}

void deallocate_memory(void* memory) {
  static auto* const next = library<void(void*)>("_ZN3tbb6detail2r117deallocate_memoryEPv");
  __tsan_release(memory);
  next(memory);
}

void* cache_aligned_allocate(std::size_t bytes) {
  static auto* const next = library<void*(std::size_t)>("_ZN3tbb6detail2r122cache_aligned_allocateEm");
  void* memory = next(bytes);
  __tsan_acquire(memory);
  return memory;
}

void cache_aligned_deallocate(void* memory) {
  static auto* const next = library<void(void*)>("_ZN3tbb6detail2r124cache_aligned_deallocateEPv");
  __tsan_release(memory);
  next(memory);
}

}  // namespace r1
}  // namespace tbb::detail
