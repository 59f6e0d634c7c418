// Fetches blobs that are missing from a node's store, from several holders at once and piece by
// piece, and serves those that are there. Every piece is checked against the blob's address when it
// comes, kept through a restart, and asked for again elsewhere when it does not come.
#pragma once

#include <deque>

#include "node/blob_server.h"
#include "store/parts.h"

namespace lockstep::node {

class BlobClient {
 public:
  /// Borrows both.
  BlobClient(store::Blobs& blobs, Effects& effects, const ServeLimits& limits = {})
      : blobs_(&blobs), effects_(&effects), parts_(blobs), server_(blobs, effects, limits) {}

  /// Asks `from` for those of `addresses` that are missing. `group` names the wish; when all of its
  /// blobs are there take_ready() gives it. Asking again adds to the group. A blob that is wanted
  /// already gets one more holder to be asked.
  void fetch(uint64_t now_ms,
             uint64_t group,
             std::span<const Hash> addresses,
             const PublicKey& from);
  /// One more that may have a blob; nothing when it is not wanted.
  void add_holder(uint64_t now_ms, const Hash& address, const PublicKey& holder);
  /// Forgets a wish. What has come of its blobs is kept for the next one while there is room.
  void forget(uint64_t group);
  /// Groups that became complete, ascending.
  [[nodiscard]] std::vector<uint64_t> take_ready();
  /// Groups with a blob that no holder has or gives rightly (blob_missing, wrong_hash), or that
  /// this node has no room for (disk_full).
  struct Failure {
    uint64_t group = 0;
    Error error;
  };
  [[nodiscard]] std::vector<Failure> take_failures();
  [[nodiscard]] std::vector<uint64_t> take_failed();

  void on_ask(uint64_t now_ms, const PublicKey& from, const net::AskBlob& ask);
  /// Right pieces are welcome from every holder of the blob that has not lied about it.
  void on_give(uint64_t now_ms, const PublicKey& from, const net::GiveBlob& give);
  /// The same, at the time of the last call that had one.
  void on_ask(const PublicKey& from, const net::AskBlob& ask) { on_ask(now_ms_, from, ask); }
  void on_give(const PublicKey& from, const net::GiveBlob& give) { on_give(now_ms_, from, give); }
  /// Asks again for what has not come in time: retry_ms, and longer of holders that are known to
  /// take longer.
  void tick(uint64_t now_ms);
  static constexpr uint64_t retry_ms = 500;

  struct Counts {
    uint64_t pieces = 0;      // that were right and wanted
    uint64_t duplicates = 0;  // that came when nobody waited for them any more
    uint64_t lies = 0;        // wrong pieces: each costs its sender the blob
    uint64_t late = 0;        // questions that were not answered in time
    uint64_t busy = 0;        // answers that said so
  };
  [[nodiscard]] const Counts& counts() const { return counts_; }
  [[nodiscard]] store::Blobs& store() const { return *blobs_; }

  // What is asked of one holder at a time: the window grows while answers come fast.
  static constexpr uint32_t window_first = 4;
  static constexpr uint32_t window_max = 64;
  static constexpr uint32_t firsts_max = 64;  // blobs whose size is still unknown
  static constexpr size_t holders_max = 16;   // of one blob
  static constexpr size_t liars_max = 1024;   // remembered

 private:
  struct Question {
    PublicKey to;
    uint64_t asked_ms = 0;
    uint64_t due_ms = 0;
  };
  /// By piece, and last_piece while the size is unknown.
  using Questions = std::map<uint64_t, Question>;
  struct Wanted {
    std::vector<PublicKey> holders;
    std::set<uint64_t> groups;
    std::optional<uint64_t> total;  // proven
    std::set<uint64_t> unasked;     // neither here nor asked for
    Questions asked;
    Questions late;               // asked and not answered in time; perhaps they still come
    uint64_t rests_until_ms = 0;  // after the store has failed
    [[nodiscard]] bool has_all() const { return total && unasked.empty() && asked.empty(); }
  };
  struct Peer {
    uint32_t window = window_first;
    uint32_t asked = 0;   // pieces
    uint32_t firsts = 0;  // last pieces of blobs of unknown size
    uint32_t misses = 0;  // times in a row that it did not answer in time
    uint64_t usual_ms = 0;
    uint64_t missed_ms = 0;      // when misses grew
    uint64_t slow_until_ms = 0;  // asked only when there is no other
    uint64_t busy_until_ms = 0;  // not asked
  };
  using Wish = std::map<Hash, Wanted>::iterator;

  // blob_client.cc: wishes and answers
  void begin(uint64_t now_ms, const Hash& address);
  void join(Wanted& wanted, const Hash& address, const PublicKey& holder);
  /// Takes a group away, with the wishes that only it had.
  void drop(uint64_t group);
  void erase(Wish wish);
  void complete(Wish wish);
  void fail(Wish wish, const Error& error);
  void fail_without_holders(Wish wish);
  void give_up(Wish wish, const PublicKey& holder);
  void on_piece(uint64_t now_ms, Wish wish, const PublicKey& from, const net::GiveBlob& give);
  void on_first(uint64_t now_ms, Wish wish, const net::GiveBlob& give);
  void on_busy(uint64_t now_ms, Wish wish, const PublicKey& from, const net::GiveBlob& give);
  [[nodiscard]] static bool is_wanted(const Wanted& wanted, const net::GiveBlob& give);
  void finish(uint64_t now_ms, Wish wish);
  void store_failed(uint64_t now_ms, Wish wish, const Error& error);
  [[nodiscard]] bool is_liar(const Hash& address, const PublicKey& holder) const;
  void add_liar(const Hash& address, const PublicKey& holder);

  // blob_client_asking.cc: whom to ask for what
  void ask_all(uint64_t now_ms);
  void ask_first(uint64_t now_ms, Wish wish);
  void ask_pieces(uint64_t now_ms, Wish wish);
  [[nodiscard]] const PublicKey* choose(uint64_t now_ms, const Wanted& wanted, bool first);
  void note(uint64_t now_ms, Wanted& wanted, uint64_t piece, const PublicKey& to);
  void answered(uint64_t now_ms, Wanted& wanted, uint64_t piece, const PublicKey& from);
  void take_back(Wanted& wanted, Questions::iterator question);
  void missed(uint64_t now_ms, Wanted& wanted);
  void free_place(const PublicKey& peer, uint64_t piece);
  [[nodiscard]] static uint64_t patience_ms(const Peer& peer);

  store::Blobs* blobs_;
  Effects* effects_;
  store::Parts parts_;
  BlobServer server_;
  uint64_t now_ms_ = 0;
  std::map<Hash, Wanted> wanted_;
  std::map<PublicKey, Peer> peers_;
  std::map<uint64_t, std::set<Hash>> missing_;  // by group
  std::set<uint64_t> ready_;
  std::map<uint64_t, Error> failed_;
  std::set<std::pair<Hash, PublicKey>> liars_;
  std::deque<std::pair<Hash, PublicKey>> liars_in_order_;
  Counts counts_;
};

}  // namespace lockstep::node
