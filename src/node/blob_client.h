// Fetches blobs that are missing from a node's store and serves those that are there. What arrives
// is kept only under the hash of its bytes.
#pragma once

#include <set>

#include "node/node.h"
#include "store/blobs.h"

namespace lockstep::node {

class BlobClient {
 public:
  /// Borrows both.
  BlobClient(store::Blobs& blobs, Effects& effects) : blobs_(&blobs), effects_(&effects) {}

  /// Asks `from` for those of `addresses` that are missing. `group` names the wish; when all of its
  /// blobs are there take_ready() gives it. Asking again adds to the group. A blob that is asked
  /// for already is not asked for twice: `from` is who is asked when it does not come.
  void fetch(uint64_t now_ms,
             uint64_t group,
             std::span<const Hash> addresses,
             const PublicKey& from);
  /// Forgets a wish.
  void forget(uint64_t group);
  /// Groups that became complete, ascending.
  [[nodiscard]] std::vector<uint64_t> take_ready();
  /// Groups with a blob that its peer does not have.
  [[nodiscard]] std::vector<uint64_t> take_failed();

  void on_ask(const PublicKey& from, const net::AskBlob& ask);
  /// Right bytes are welcome from anybody; that a blob is missing is believed of who was asked.
  void on_give(const PublicKey& from, const net::GiveBlob& give);
  /// Asks again for what has not come within retry_ms.
  void tick(uint64_t now_ms);
  static constexpr uint64_t retry_ms = 500;

 private:
  void ask(const Hash& address, const PublicKey& from);
  /// Takes a group away, with the wishes that only it had.
  void drop(uint64_t group);
  struct Wanted {
    PublicKey from;
    uint64_t asked_ms = 0;
    std::set<uint64_t> groups;
  };
  store::Blobs* blobs_;
  Effects* effects_;
  std::map<Hash, Wanted> wanted_;
  std::map<uint64_t, std::set<Hash>> missing_;  // by group
  std::set<uint64_t> ready_, failed_;
};

}  // namespace lockstep::node
