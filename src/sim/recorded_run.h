// A real node's recorded inputs, fed again into a fresh node over a store in memory: the same code
// must ask for the same, compute the same and keep the same.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <set>

#include "sim/recorded_entry.h"

namespace lockstep::sim {

/// A node with all that its process has around it, for one life.
class ReplayedLife {
 public:
  virtual ~ReplayedLife() = default;
  virtual node::Node& node() = 0;
  /// A task on the node's machine, with the lies of whoever cheats.
  virtual node::WorkDone run(const node::RunTask& work) = 0;
};

/// Where nodes come from.
class ReplayedNode {
 public:
  virtual ~ReplayedNode() = default;
  /// Made as the process makes it from this setup. Borrows the stores: the node's, and the same
  /// one as its worker sees it.
  virtual Result<std::unique_ptr<ReplayedLife>> live(ByteView setup,
                                                     env::KeyValue& store,
                                                     env::KeyValue& worker_store) = 0;
  /// A blob that was there before the first life. It is checked against its address.
  virtual Result<Bytes> blob(const Hash& address) = 0;
};

/// Where a replay is not what was recorded.
struct Difference {
  std::string node;
  uint64_t life = 0;     // from 1
  uint64_t input = 0;    // of that life, from 1; 0: before the first
  uint64_t time_ms = 0;  // the node's
  std::string kind;      // of the input
  std::string expected, got;
  /// One line for people.
  [[nodiscard]] std::string text() const;
};

/// Who said what to whom, over all replayed nodes.
class MessageBook {
 public:
  void sent(const Hash& message) { sent_.insert(message); }
  struct Received {
    crypto::PublicKey from;
    Hash message;
    Difference place;
  };
  void received(Received one) { received_.push_back(std::move(one)); }
  void replayed(const crypto::PublicKey& node) { nodes_.insert(node); }
  /// The first message that came from a replayed node, which never sent it.
  [[nodiscard]] std::optional<Difference> invented() const;

 private:
  std::set<Hash> sent_;
  std::vector<Received> received_;
  std::set<crypto::PublicKey> nodes_;
};

/// One node over all its lives.
class RecordedRun {
 public:
  struct Counts {
    uint64_t lives = 0, cut_lives = 0, inputs = 0, effects = 0, tasks = 0;
  };
  /// Borrows all but the name.
  RecordedRun(std::string name,
              const crypto::PublicKey& key,
              ReplayedNode& node,
              MessageBook& messages);
  ~RecordedRun();
  /// The next life, from its file. False: it differs, see difference(). Errors: bad_folder for a
  /// record that is damaged or of another version; those of the source.
  Result<bool> live(ByteSource& life);
  /// After the last life: the real store as it was left. False: it differs.
  Result<bool> finish(const Hash& store);
  [[nodiscard]] const std::optional<Difference>& difference() const { return difference_; }
  [[nodiscard]] const Counts& counts() const { return counts_; }
  [[nodiscard]] env::KeyValue& store();

 private:
  class Store;
  class Workbench;
  struct Life;
  struct Queued {
    model::ProgramRef program;
    node::RunTask work;
  };
  Result<bool> settle(const Hash& store);
  Result<bool> begin(Life& life, const Born& born);
  Result<bool> load_snapshot(Life& life, const Hash& store);
  Result<bool> step(Life& life, RecordedEntry entry);
  Result<bool> input(Life& life, RecordedEntry entry);
  Result<bool> give(Life& life, RecordedEntry& entry);
  Result<bool> work(Life& life, const WorkCame& came);
  Result<bool> worker_writes(Life& life, const WorkerWrites& writes);
  Result<bool> compare(const std::vector<EffectMark>& expected, const std::vector<EffectMark>& got);
  std::vector<EffectMark> take_effects(Life& life);
  Result<bool> differs(std::string expected, std::string got);

  std::string name_;
  crypto::PublicKey key_;
  ReplayedNode* node_;
  MessageBook* messages_;
  std::unique_ptr<Store> store_;  // over all lives
  Difference place_;              // where we are
  std::optional<Difference> difference_;
  Counts counts_;
};

}  // namespace lockstep::sim
