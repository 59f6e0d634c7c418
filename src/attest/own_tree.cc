// Lists and tensors as trees: what a party holds against what answers have put on the ledger.
#include "attest/own_tree.h"

#include <algorithm>
#include <variant>

#include "base/check.h"
#include "codec/codec.h"
#include "law/roots.h"
#include "model/market.h"

namespace lockstep::attest {
namespace {

std::vector<Range> below(Range node) {
  std::vector<Range> ranges;
  for (const auto& [first, last] : crypto::descendants(node.first, node.last, opened_levels)) {
    ranges.push_back({first, last});
  }
  return ranges;
}

bool holds(Range node, uint64_t chunk) {
  return chunk >= node.first && chunk < node.last;
}

}  // namespace

OwnTree OwnTree::list(const crypto::Mode& mode, std::span<const Hash> entries) {
  OwnTree tree(mode, true);
  tree.entries_.assign(entries.begin(), entries.end());
  codec::Writer writer;
  for (const Hash& entry : entries) {
    writer.hash(entry);
  }
  tree.hashed_ = std::move(writer).bytes();
  return tree;
}

OwnTree OwnTree::task(const Hash& salt, std::span<const Hash> roots) {
  std::vector<Hash> salted;
  salted.reserve(roots.size());
  for (size_t i = 0; i < roots.size(); ++i) {
    salted.push_back(model::task_entry(salt, static_cast<uint32_t>(i), roots[i]));
  }
  OwnTree tree = list(model::task_list_mode(), salted);
  tree.entries_.assign(roots.begin(), roots.end());
  return tree;
}

OwnTree OwnTree::tensor(ByteView bytes) {
  OwnTree tree(law::data_mode(), false);
  tree.tensor_ = bytes;
  return tree;
}

Hash OwnTree::cv(Range node) {
  const auto found = cvs_.find(node);
  if (found != cvs_.end()) {
    return found->second;
  }
  const Hash cv = crypto::subtree(mode_, message(), node.first, node.last).cv;
  cvs_.emplace(node, cv);
  return cv;
}

std::vector<Hash> OwnTree::open(Range node) {
  if (is_opened_by_entries(is_list_, node)) {
    const auto count = static_cast<uint64_t>(entries_.size());
    const uint64_t first = std::min(count, node.first * entries_per_chunk);
    const uint64_t last = std::min(count, node.last * entries_per_chunk);
    return {entries_.begin() + static_cast<ptrdiff_t>(first),
            entries_.begin() + static_cast<ptrdiff_t>(last)};
  }
  std::vector<Hash> hashes;
  for (const Range& range : below(node)) {
    hashes.push_back(cv(range));
  }
  return hashes;
}

model::Path OwnTree::path(uint64_t chunk, Range top) {
  CHECK(holds(top, chunk) && top.last <= chunks());
  constexpr uint64_t chunk_bytes = limits::chunk_bytes;
  const ByteView bytes = message();
  const uint64_t begin = chunk * chunk_bytes;
  const ByteView own = bytes.subspan(begin, std::min(chunk_bytes, bytes.size() - begin));
  model::Path path{Bytes(own.begin(), own.end()), {}};
  for (uint64_t width = 1; width < top.last - top.first; width *= 2) {
    const uint64_t first = ((chunk / width) ^ 1) * width;
    // At the right edge a node may have no sibling on a level; it moves up as it is.
    if (first < chunks()) {
      path.siblings.push_back(cv({first, std::min(first + width, chunks())}));
    }
  }
  return path;
}

bool is_opened_by_entries(bool is_list, Range node) {
  return is_list && node.last - node.first <= entry_chunks_max;
}

std::optional<Range> opened_node(const model::Place& place, bool is_list, uint64_t chunks) {
  const Range asked{place.first, place.last};
  Range node{0, chunks};
  if (asked == Range{}) {
    return node;
  }
  if (asked.first >= asked.last || asked.last > chunks) {
    return std::nullopt;
  }
  // Every answer leads nearer, so this ends after a few of them.
  while (!is_opened_by_entries(is_list, node) && node.last - node.first > 1) {
    const std::vector<Range> nodes = below(node);
    node = *std::find_if(
        nodes.begin(), nodes.end(), [&](Range next) { return holds(next, asked.first); });
    if (node == asked) {
      return is_list || node.last - node.first > 1 ? std::optional(node) : std::nullopt;
    }
  }
  return std::nullopt;
}

model::Place at_node(model::Place place, Range node) {
  place.first = node.first;
  place.last = node.last;
  return place;
}

bool is_open(
    const model::Kept& kept, const model::Place& place, bool is_list, Range node, uint64_t chunks) {
  CHECK(node.first < node.last && node.last <= chunks);
  if (is_opened_by_entries(is_list, node)) {
    const model::Place at = at_node(place, node);
    return std::any_of(kept.entries.begin(), kept.entries.end(), [&](const auto& entries) {
      return entries.place == at;
    });
  }
  return kept.node(at_node(place, below(node).front())).has_value();
}

Comparison compare(OwnTree& own,
                   const model::Place& place,
                   const model::Kept& kept,
                   uint64_t from) {
  const uint64_t per_chunk = own.is_list() ? entries_per_chunk : 1;
  std::vector<Range> left = {own.whole()};  // the next one last
  while (!left.empty()) {
    const Range node = left.back();
    left.pop_back();
    const std::optional<Hash> claimed = kept.node(at_node(place, node));
    if (node.last * per_chunk <= from || (claimed && *claimed == own.cv(node))) {
      continue;
    }
    if (claimed && !own.is_list() && node.last - node.first == 1) {
      return Differs{node.first};
    }
    if (!is_open(kept, place, own.is_list(), node, own.chunks())) {
      return at_node(place, node == own.whole() ? Range{} : node);
    }
    if (is_opened_by_entries(own.is_list(), node)) {
      const uint64_t end = std::min<uint64_t>(own.entries().size(), node.last * per_chunk);
      for (uint64_t i = std::max(from, node.first * per_chunk); i < end; ++i) {
        if (kept.entry(place, i) != own.entries()[i]) {
          return Differs{i};
        }
      }
      continue;
    }
    const std::vector<Range> nodes = below(node);
    left.insert(left.end(), nodes.rbegin(), nodes.rend());
  }
  return Same{};
}

std::optional<model::Place> missing(const OwnTree& own,
                                    const model::Place& place,
                                    const model::Kept& kept,
                                    uint64_t index) {
  if (kept.entry(place, index)) {
    return std::nullopt;
  }
  const uint64_t chunk = index / entries_per_chunk;
  Range node = own.whole();
  CHECK(own.is_list() && holds(node, chunk));
  while (is_open(kept, place, true, node, own.chunks()) && !is_opened_by_entries(true, node)) {
    const std::vector<Range> nodes = below(node);
    node =
        *std::find_if(nodes.begin(), nodes.end(), [&](Range next) { return holds(next, chunk); });
  }
  return at_node(place, node == own.whole() ? Range{} : node);
}

Range kept_over(const model::Kept& kept,
                const model::Place& place,
                uint64_t chunk,
                uint64_t chunks) {
  Range best{0, chunks};
  for (const model::KeptNode& node : kept.nodes) {
    const Range range{node.place.first, node.place.last};
    if (at_node(place, range) == node.place && holds(range, chunk) &&
        range.last - range.first < best.last - best.first) {
      best = range;
    }
  }
  return best;
}

}  // namespace lockstep::attest
