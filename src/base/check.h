// CHECK aborts when our own state is unsafe. Never on outside input: that gets an Error.
#pragma once

#include <cstdio>
#include <cstdlib>

#ifdef NDEBUG
#error "checks are always on: build without NDEBUG"
#endif

#define CHECK(condition)                                                                       \
  do {                                                                                         \
    if (!(condition)) [[unlikely]] {                                                           \
      (void)std::fprintf(stderr, "%s:%d: check failed: %s\n", __FILE__, __LINE__, #condition); \
      std::abort();                                                                            \
    }                                                                                          \
  } while (false)
