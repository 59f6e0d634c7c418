// Fuzzes the decoder of transactions: whatever is read has exactly the bytes it was read from.
#include "base/check.h"
#include "model/transaction.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto transaction = lockstep::codec::decode<lockstep::model::Transaction>({data, size});
  if (transaction.ok()) {
    CHECK(lockstep::codec::encode(*transaction) == lockstep::Bytes(data, data + size));
  } else {
    CHECK(!transaction.error().is_fault());
  }
  return 0;
}
