// Fuzzes the decoder of prepared jobs: whatever is read has exactly the bytes it was read from.
#include "base/check.h"
#include "codec/record.h"
#include "model/job.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto job = lockstep::codec::decode<lockstep::model::Job>({data, size});
  if (job.ok()) {
    CHECK(lockstep::codec::encode(*job) == lockstep::Bytes(data, data + size));
  } else {
    CHECK(!job.error().is_fault());
  }
  return 0;
}
