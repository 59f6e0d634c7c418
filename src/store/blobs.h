// Content-addressed blobs: what is read is what was asked for, or an error.
#pragma once

#include "crypto/blake3.h"
#include "env/key_value.h"

namespace lockstep::store {

/// Borrows the key-value store. Blobs are addressed by their hash in `mode`.
class Blobs {
 public:
  Blobs(env::KeyValue& values, const crypto::Mode& mode) : values_(values), mode_(mode) {}
  /// Durable when it returns. Errors: io_failed.
  Result<Hash> put(Bytes bytes);
  /// Errors: blob_missing, wrong_hash (the store gave other bytes, which are deleted), io_failed.
  Result<Bytes> get(const Hash& address);
  /// Whether there are bytes under this address; they are not hashed. Errors: io_failed.
  Result<bool> has(const Hash& address);

 private:
  env::KeyValue& values_;
  crypto::Mode mode_;
};

}  // namespace lockstep::store
