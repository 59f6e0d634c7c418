// Sets and restores MXCSR on x86-64, FPCR on AArch64; other machines are refused.
#include "law/float_environment.h"

#include <cfloat>

#include "base/check.h"

static_assert(FLT_EVAL_METHOD == 0, "floats are computed in their own precision");

namespace lockstep::law {
namespace {

#if defined(__x86_64__)
constexpr uint64_t sticky = 0x3f;  // exception flags: what happened, not what will
uint64_t read_state() {
  return __builtin_ia32_stmxcsr();
}
void write_state(uint64_t state) {
  __builtin_ia32_ldmxcsr(static_cast<uint32_t>(state));
}
#elif defined(__aarch64__)
constexpr uint64_t sticky = 0;  // the flags are in FPSR
uint64_t read_state() {
  uint64_t state = 0;
  asm volatile("mrs %0, fpcr" : "=r"(state));
  return state;
}
void write_state(uint64_t state) {
  asm volatile("msr fpcr, %0" : : "r"(state) : "memory");
}
#else
#error "x86-64 and AArch64 only: 32-bit x86 and AArch32 NEON do not compute as IEEE 754 says"
#endif

}  // namespace

uint64_t FloatEnvironment::current() {
  return read_state() & ~sticky;
}

FloatEnvironment::FloatEnvironment() : saved_(read_state()) {
  write_state(expected);
  CHECK(current() == expected);
}

FloatEnvironment::~FloatEnvironment() {
  write_state(saved_);
}

}  // namespace lockstep::law
