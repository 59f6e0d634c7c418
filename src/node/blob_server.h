// Gives blobs to other nodes, piece by piece, so much to each in a second that none starves
// another.
#pragma once

#include <list>

#include "node/node.h"
#include "store/blobs.h"

namespace lockstep::node {

struct ServeLimits {
  // Of one peer. It may be in debt by one answer, and waits until that is paid.
  uint64_t bytes_per_second = uint64_t{64} << 20;
  uint64_t burst_bytes = uint64_t{64} << 20;
  uint32_t pieces_max = 16;  // of one question
  // Blobs of more than a piece stay open with their trees, the last ones asked for.
  uint64_t open_bytes_max = uint64_t{256} << 20;
  size_t open_max = 64;
};

class BlobServer {
 public:
  /// Borrows both.
  BlobServer(store::Blobs& blobs, Effects& effects, const ServeLimits& limits = {})
      : blobs_(&blobs), effects_(&effects), limits_(limits) {}
  void on_ask(uint64_t now_ms, const PublicKey& from, const net::AskBlob& ask);
  /// Of open blobs and their trees; beyond the limit only when one alone is larger.
  [[nodiscard]] uint64_t open_bytes() const { return open_bytes_; }
  /// Blobs hashed to be opened.
  [[nodiscard]] uint64_t opened() const { return opened_; }

 private:
  /// What a question costs in any case; and opening a blob, a share of its bytes.
  static constexpr uint64_t ask_cost = uint64_t{16} << 10;
  static constexpr uint64_t open_share = 8;
  static constexpr size_t peers_max = 1024;
  struct Bucket {
    int64_t bytes = 0;  // below zero: in debt
    uint64_t filled_ms = 0;
  };
  struct Open {
    Hash address;
    store::Blobs::Opened blob;
    [[nodiscard]] uint64_t bytes() const { return blob.bytes.size() + blob.tree.bytes(); }
  };
  Bucket& bucket_of(uint64_t now_ms, const PublicKey& peer);
  void fill(uint64_t now_ms, Bucket& bucket) const;
  const store::Blobs::Opened* open(const Hash& address, Bucket& bucket);
  void say_busy(const PublicKey& to, const net::AskBlob& rest, const Bucket& bucket);
  void give(const PublicKey& to, net::GiveBlob give);

  store::Blobs* blobs_;
  Effects* effects_;
  ServeLimits limits_;
  std::map<PublicKey, Bucket> buckets_;
  std::list<Open> open_;  // used last at the front
  uint64_t open_bytes_ = 0;
  uint64_t opened_ = 0;
};

}  // namespace lockstep::node
