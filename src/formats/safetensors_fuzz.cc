// Fuzzes read_safetensors: whatever is accepted is written and read back as the same tensors.
#include "base/check.h"
#include "formats/safetensors.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace lockstep;  // NOLINT(google-build-using-namespace)
  const auto tensors = formats::read_safetensors({data, size});
  if (!tensors.ok()) {
    CHECK(tensors.error().code == Code::bad_safetensors);
    return 0;
  }
  const auto bytes = formats::write_safetensors(*tensors);
  CHECK(bytes.ok());
  const auto again = formats::read_safetensors(*bytes);
  CHECK(again.ok() && again->size() == tensors->size());
  for (size_t i = 0; i < again->size(); ++i) {
    const formats::NamedTensor& a = (*again)[i];
    const formats::NamedTensor& b = (*tensors)[i];
    CHECK(a.name == b.name && a.tensor.shape == b.tensor.shape && a.tensor.data == b.tensor.data);
  }
  return 0;
}
