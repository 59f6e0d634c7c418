// A dispute as plain data: places in a claimed trace, answers, what the ledger keeps of them, and
// the proofs that end it. LAW section 7.
#pragma once

#include "codec/record.h"
#include "crypto/blake3.h"
#include "model/ids.h"

namespace lockstep::model {

/// The lists and trees of a claimed task. Each is BLAKE3 over 32-byte entries or a tensor's bytes.
enum class Tree : uint8_t {
  task = 0,    // the salted list of the receipt; its salt and roots are opened
  window = 1,  // `step` = number of the window of claim_every steps: state roots after each step
  step = 2,    // step `step` (from 0): its operators' output roots, in order
  state = 3,   // the state after step `step`: leaf hashes, in the program's order
  tensor = 4,  // output of operator `record` at `step`: the bytes
  fold = 5,    // hashes of fold states s_1 … s_(B−1) of 1 KiB chunk `chunk` of that output
};
constexpr Tree last_of(Tree) {
  return Tree::fold;
}

/// A node of a tree: chunks [first, last) of its message; both 0 is the top. Fields that a tree
/// does not use are 0.
struct Place {
  Tree tree = Tree::task;
  uint32_t step = 0;
  uint32_t record = 0;
  uint64_t chunk = 0;
  uint64_t first = 0;
  uint64_t last = 0;
  auto operator<=>(const Place&) const = default;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.tree, self.step, self.record, self.chunk, self.first, self.last);
  }
};

/// Opens a node. Lists: a node of at most 8 chunks (256 entries) by its entries, a larger one by
/// the chaining values of descendants(first, last, 8). Tensors: always by those, down to single
/// chunks; from the top the whole range [0, chunks). A task's entries are the unsalted roots.
struct Answer {
  Place place;
  Hash salt;  // Tree::task only, else zero
  std::vector<Hash> hashes;
  bool operator==(const Answer&) const = default;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.place, self.salt, self.hashes);
  }
};

/// What answers have put on the ledger in one dispute. Sorted by place, unique.
struct KeptEntries {
  Place place;               // first, last: as asked, written out (never both 0)
  std::vector<Hash> hashes;  // entries 32·first … of the list
  bool operator==(const KeptEntries&) const = default;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.place, self.hashes);
  }
};
struct KeptNode {
  Place place;  // [first, last) of its tree
  Hash cv;
  bool operator==(const KeptNode&) const = default;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.place, self.cv);
  }
};
struct Kept {
  std::optional<Hash> salt;
  std::vector<KeptEntries> entries;
  std::vector<KeptNode> nodes;
  bool operator==(const Kept&) const = default;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.salt, self.entries, self.nodes);
  }
  /// Entry `index` of a list (`list.first` and `last` are ignored), where it is known.
  [[nodiscard]] std::optional<Hash> entry(const Place& list, uint64_t index) const;
  /// The chaining value of exactly this node, where it is known.
  [[nodiscard]] std::optional<Hash> node(const Place& place) const;
};

/// 1 KiB (or less, at the end) of a tree's message with the siblings, bottom first, up to the root
/// or to a kept node.
struct Path {
  Bytes chunk;
  std::vector<Hash> siblings;
  bool operator==(const Path&) const = default;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.chunk, self.siblings);
  }
};

/// One chunk of an input's bytes, under its data hash.
struct Opening {
  uint32_t input = 0;
  uint64_t chunk = 0;
  Path path;
  bool operator==(const Opening&) const = default;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.input, self.chunk, self.path);
  }
};
/// Binds an opened input's data hash to what is agreed. A state leaf: the path of its leaf hash in
/// the state root before the step. An earlier operator's output: the path of its root in the step's
/// list, or nothing where the list's entry is kept. A constant: nothing.
struct InputRoot {
  uint32_t input = 0;
  Hash data;
  std::optional<Path> path;
  bool operator==(const InputRoot&) const = default;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.input, self.data, self.path);
  }
};
/// One fold step of chunk `place.chunk` of operator `place.record` at `place.step` (tree fold).
struct StepProof {
  Place place;
  uint64_t fold_step = 0;
  Bytes before;                   // the fold state s_b; empty before the first step
  std::vector<Opening> openings;  // ascending by (input, chunk), each read
  std::vector<InputRoot> inputs;  // ascending; exactly the inputs opened
  bool operator==(const StepProof&) const = default;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.place, self.fold_step, self.before, self.openings, self.inputs);
  }
};
/// A state leaf that differs from what the leaf table names: the writer's output, kept by its root,
/// or, where it has none, the leaf before the step, by its path in the state root before.
struct LeafProof {
  uint32_t step = 0;
  uint32_t leaf = 0;
  std::optional<Path> before;  // unchanged leaves only
  bool operator==(const LeafProof&) const = default;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.step, self.leaf, self.before);
  }
};

/// Hash of a fold state's bytes, context "lockstep v1 fold state".
[[nodiscard]] Hash fold_state_hash(ByteView state);
/// The modes of the lists that only answers commit to.
[[nodiscard]] const crypto::Mode& step_list_mode();  // "lockstep v1 step list"
[[nodiscard]] const crypto::Mode& fold_list_mode();  // "lockstep v1 fold list"

enum class Outcome : uint8_t {
  refuted,       // the claim is false
  holds,         // the challenger is wrong here
  inadmissible,  // no move
};
constexpr Outcome last_of(Outcome) {
  return Outcome::inadmissible;
}

}  // namespace lockstep::model
