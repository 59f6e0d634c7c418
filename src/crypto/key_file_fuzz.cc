// Fuzzes the reader of key files, and unlocks what is cheap enough: no input may crash, and a file
// that unlocks has the key that it names.
#include "base/check.h"
#include "crypto/key_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace lockstep;
  const ByteView file(data, size);
  const auto about = crypto::read_key_file(file);
  if (!about.ok()) {
    CHECK(about.error().code == Code::bad_key_file);
    return 0;
  }
  if (about->sealed && (about->cost.passes > 2 || about->cost.memory_bytes > 64 << 10)) {
    return 0;
  }
  const auto key = crypto::unlock_key_file(file, "correct horse");
  if (key.ok()) {
    CHECK(key->public_key() == about->key);
  } else {
    CHECK(key.error().code == Code::bad_key_file);
  }
  return 0;
}
