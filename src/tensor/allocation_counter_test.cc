// Replaces operator new for the whole test program, so that a test can say "this does not
// allocate".
#include "tensor/allocation_counter.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <memory>
#include <new>
#include <vector>

namespace {
// operator new has nowhere else to count.
std::atomic<int64_t> allocations{0};  // NOLINT(cppcoreguidelines-avoid-non-const-global-variables)

void* counted(std::size_t size, std::size_t alignment) {
  allocations.fetch_add(1);
  void* const memory = std::aligned_alloc(alignment, (size + alignment) / alignment * alignment);
  if (memory == nullptr) {
    std::abort();
  }
  return memory;
}
}  // namespace

// Every form of new that the library uses ends here.
void* operator new(std::size_t size) {
  return counted(size, 16);
}
void* operator new(std::size_t size, std::align_val_t alignment) {
  return counted(size, static_cast<std::size_t>(alignment));
}
void* operator new(std::size_t size, std::align_val_t alignment, const std::nothrow_t&) noexcept {
  return counted(size, static_cast<std::size_t>(alignment));
}
void operator delete(void* memory) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::align_val_t) noexcept {
  std::free(memory);
}
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept {
  std::free(memory);
}

namespace lockstep::tensor {

int64_t allocations_so_far() {
  return allocations.load();
}

TEST(AllocationCounter, SeesAnAllocation) {
  const int64_t before = allocations_so_far();
  const auto memory = std::make_unique<std::vector<int>>(1000);
  EXPECT_GE(allocations_so_far(), before + 2);
}

}  // namespace lockstep::tensor
