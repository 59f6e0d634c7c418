// From the tables of a graph to a program: what the leaves need, in the program's order.
#include <algorithm>

#include "graph/impl.h"
#include "law/roots.h"

namespace lockstep::graph {
namespace {

using law::From;

/// What of a graph the leaves need, renumbered; the tables of finish().
struct Kept {
  std::vector<bool> records, constants;
  std::vector<uint32_t> record_at, constant_at, leaf_at;
};

void mark_needed(const Graph& graph, Kept& kept) {
  kept.records.assign(graph.records.size(), false);
  kept.constants.assign(graph.constants.size(), false);
  for (const LeafEntry& leaf : graph.leaves) {
    if (leaf.next && graph.slot(*leaf.next).from == From::value) {
      kept.records[graph.slot(*leaf.next).index] = true;
    }
  }
  for (size_t at = graph.records.size(); at-- > 0;) {
    for (const law::Source& source : graph.records[at].inputs) {
      if (kept.records[at] && source.from == From::value) {
        kept.records[source.index] = true;
      } else if (kept.records[at] && source.from == From::constant) {
        kept.constants[source.index] = true;
      }
    }
  }
}

std::vector<uint32_t> places(const std::vector<bool>& kept) {
  std::vector<uint32_t> at(kept.size());
  uint32_t next = 0;
  for (size_t i = 0; i < kept.size(); ++i) {
    at[i] = next;
    next += kept[i] ? 1U : 0U;
  }
  return at;
}

uint32_t moved(const Kept& kept, const law::Source& source) {
  switch (source.from) {
    case From::state:
      return kept.leaf_at[source.index];
    case From::constant:
      return kept.constant_at[source.index];
    case From::value:
      break;
  }
  return kept.record_at[source.index];
}

Built assemble(const Graph& graph) {
  Kept kept;
  mark_needed(graph, kept);
  kept.record_at = places(kept.records);
  kept.constant_at = places(kept.constants);
  std::vector<uint32_t> order(graph.leaves.size());
  for (uint32_t i = 0; i < order.size(); ++i) {
    order[i] = i;
  }
  std::ranges::sort(order, [&](uint32_t a, uint32_t b) {
    return graph.leaves[a].name < graph.leaves[b].name;  // char_traits compares unsigned bytes
  });
  kept.leaf_at.resize(order.size());
  Built built;
  for (const uint32_t from : order) {
    const LeafEntry& entry = graph.leaves[from];
    kept.leaf_at[from] = static_cast<uint32_t>(built.program.leaves.size());
    law::Leaf leaf{entry.name, entry.shape, std::nullopt};
    if (entry.next && graph.slot(*entry.next).from == From::value) {
      leaf.writer = kept.record_at[graph.slot(*entry.next).index];
    }
    built.program.leaves.push_back(std::move(leaf));
  }
  for (size_t i = 0; i < graph.constants.size(); ++i) {
    if (kept.constants[i]) {
      const law::Tensor& tensor = graph.constants[i];
      built.program.constants.push_back({tensor.shape, law::tensor_root(tensor)});
      built.constants.push_back(tensor);
    }
  }
  for (size_t i = 0; i < graph.records.size(); ++i) {
    if (kept.records[i]) {
      law::Record record = graph.records[i];
      for (law::Source& source : record.inputs) {
        source.index = moved(kept, source);
      }
      built.program.records.push_back(std::move(record));
    }
  }
  return built;
}

}  // namespace

Result<Built> Builder::finish() {
  // A leaf is written by a record of its own shape: what is only read (another leaf, a constant, a
  // value with other dims) goes through a broadcast to the same dims, which copies.
  for (size_t i = 0; i < impl_->leaves.size(); ++i) {
    const LeafEntry entry = impl_->leaves[i];
    if (!entry.next || impl_->error) {
      continue;
    }
    const Slot slot = impl_->slot(*entry.next);
    const bool itself = slot.from == From::state && slot.index == i;
    if (!itself &&
        (slot.from != From::value || impl_->records[slot.index].out.dims != entry.shape.dims)) {
      impl_->leaves[i].next = broadcast(*entry.next, entry.shape.dims);
    }
  }
  if (impl_->error) {
    return *impl_->error;
  }
  Built built = assemble(*impl_);
  TRY(law::check(built.program));
  return built;
}

}  // namespace lockstep::graph
