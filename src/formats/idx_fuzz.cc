// Fuzzes read_idx: whatever is accepted has exactly the bytes that its shape says.
#include "base/check.h"
#include "formats/idx.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto tensor = lockstep::formats::read_idx({data, size});
  if (tensor.ok()) {
    CHECK(tensor->data.size() == static_cast<uint64_t>(tensor->shape.bytes()));
  } else {
    CHECK(tensor.error().code == lockstep::Code::bad_idx);
  }
  return 0;
}
