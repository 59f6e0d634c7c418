#include "store/blobs.h"

#include "base/mutant.h"

namespace lockstep::store {
namespace {

std::string key_of(const Hash& address) {
  return "blob/" + std::string(address.bytes.begin(), address.bytes.end());
}

}  // namespace

Result<Hash> Blobs::put(Bytes bytes) {
  const Hash address = crypto::hash(mode_, bytes);
  TRY(values_.apply({{key_of(address), std::move(bytes)}}));
  return address;
}

Result<Bytes> Blobs::get(const Hash& address) {
  std::optional<Bytes> found = TRY(values_.get(key_of(address)));
  if (!found) {
    return refuse(Code::blob_missing, "the blob is not in this store", {}, to_hex(address.view()));
  }
  if (crypto::hash(mode_, *found) != address && !is_mutated(Mutant::blob_not_checked)) {
    // Gone, so that has() does not promise it and put() brings it back.
    (void)values_.apply({{key_of(address), std::nullopt}});
    return refuse(Code::wrong_hash,
                  "the blob's bytes do not have its hash",
                  "fetch it again",
                  to_hex(address.view()));
  }
  return std::move(*found);
}

Result<bool> Blobs::has(const Hash& address) {
  return TRY(values_.get(key_of(address))).has_value();
}

}  // namespace lockstep::store
