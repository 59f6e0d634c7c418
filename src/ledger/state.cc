// Keys, canonical entries, the state root, presence under it, and the sum of all money.
#include "ledger/state.h"

#include <algorithm>
#include <array>

#include "base/limits.h"
#include "crypto/blake3.h"

namespace lockstep::ledger {
namespace {

constexpr uint64_t entries_per_chunk = limits::chunk_bytes / 32;
/// More than any state holds; keeps the arithmetic of places within 64 bits.
constexpr uint64_t entries_max = uint64_t{1} << 40;

using Entries = std::vector<std::pair<std::string, Bytes>>;

const crypto::Mode& state_mode() {
  static const crypto::Mode mode = crypto::Mode::derive("lockstep v1 ledger state");
  return mode;
}

Hash entry_hash(const std::string& key, ByteView bytes) {
  static const crypto::Mode mode = crypto::Mode::derive("lockstep v1 ledger entry");
  codec::Writer writer;
  writer.string(std::string_view(key));
  writer.string(bytes);
  return crypto::hash(mode, writer.bytes());
}

/// The entry hashes, one after the other: what the state root is the BLAKE3 of.
Bytes message_of(const Entries& entries) {
  codec::Writer writer;
  for (const auto& [key, bytes] : entries) {
    writer.hash(entry_hash(key, bytes));
  }
  return std::move(writer).bytes();
}

std::string hex_of(const PublicKey& key) {
  return to_hex(key.bytes);
}
std::string hex_of(const Hash& hash) {
  return to_hex(hash.view());
}
template <class Of>
std::string hex_of(const model::Id<Of>& id) {
  return to_hex(id.hash.view());
}
/// Places are written with the high digit first, so that texts sort like numbers.
std::string hex_of(const DisputeKey& key) {
  std::array<uint8_t, 4> place{};
  for (size_t i = 0; i < place.size(); ++i) {
    place[i] = static_cast<uint8_t>(key.second >> (24 - 8 * i));
  }
  return hex_of(key.first) + to_hex(place);
}

template <class Key>
std::string key_of(std::string_view kind, const Key& key) {
  return std::string(kind) + "/" + hex_of(key);
}

template <class Map>
void append(Entries& entries, std::string_view kind, const Map& map) {
  for (const auto& [key, value] : map) {
    entries.emplace_back(key_of(kind, key), codec::encode(value));
  }
}

/// Where the key is, or would be.
size_t place_of(const Entries& entries, const std::string& key) {
  const auto found = std::lower_bound(
      entries.begin(), entries.end(), key, [](const auto& entry, const std::string& text) {
        return entry.first < text;
      });
  return static_cast<size_t>(found - entries.begin());
}

Presence presence_at(const Bytes& message, size_t index) {
  Presence presence;
  presence.index = index;
  presence.entries = message.size() / sizeof(Hash);
  const uint64_t chunk = presence.index / entries_per_chunk;
  const size_t first = chunk * limits::chunk_bytes;
  const ByteView bytes = ByteView(message).subspan(
      first, std::min<size_t>(limits::chunk_bytes, message.size() - first));
  presence.path.chunk.assign(bytes.begin(), bytes.end());
  presence.path.siblings = crypto::path_to_root(state_mode(), message, chunk);
  return presence;
}

}  // namespace

Entries State::entries() const {
  Entries entries;
  // In the order of the kinds' names: the whole list is sorted.
  append(entries, "account", accounts);
  append(entries, "active", active);
  append(entries, "audit", audits);
  append(entries, "claim", claims);
  append(entries, "claimed", claimed);
  append(entries, "dismissed", dismissed);
  append(entries, "dispute", disputes);
  append(entries, "job", jobs);
  append(entries, "lease", leases);
  append(entries, "node", nodes);
  append(entries, "nonce", nonces);
  append(entries, "program", program_costs);
  entries.emplace_back(totals_key(), codec::encode(totals));
  append(entries, "turn", turns);
  append(entries, "voided", voided);
  return entries;
}

Hash State::root() const {
  return crypto::hash(state_mode(), message_of(entries()));
}

Result<Amount> State::sum() const {
  Amount sum = TRY(totals.burned.add(totals.treasury));
  for (const auto& [owner, account] : accounts) {
    sum = TRY(TRY(sum.add(account.balance)).add(account.stake));
  }
  for (const auto& [id, job] : jobs) {
    sum = TRY(TRY(TRY(sum.add(job.escrow)).add(job.audit_budget)).add(job.reserve));
  }
  for (const auto& [id, lease] : leases) {
    sum = TRY(sum.add(lease.pending));
  }
  return sum;
}

std::string account_key(const PublicKey& owner) {
  return key_of("account", owner);
}
std::string job_key(const JobId& id) {
  return key_of("job", id);
}
std::string lease_key(const LeaseId& id) {
  return key_of("lease", id);
}
std::string claim_key(const ClaimId& id) {
  return key_of("claim", id);
}
std::string totals_key() {
  return "totals/";
}

Result<Presence> prove_presence(const State& state, const std::string& key) {
  const Entries entries = state.entries();
  const size_t index = place_of(entries, key);
  if (index == entries.size() || entries[index].first != key) {
    return refuse(Code::not_registered, "the ledger holds nothing under " + key);
  }
  return presence_at(message_of(entries), index);
}

Result<Absence> prove_absence(const State& state, const std::string& key) {
  Entries entries = state.entries();
  const Bytes message = message_of(entries);
  const size_t index = place_of(entries, key);
  const auto neighbour = [&](size_t at) {
    return Neighbour{entries[at].first, std::move(entries[at].second), presence_at(message, at)};
  };
  Absence absence;
  if (index < entries.size()) {
    if (entries[index].first == key) {
      return refuse(Code::already_there, "the ledger holds something under " + key);
    }
    absence.after = neighbour(index);
  }
  if (index > 0) {
    absence.before = neighbour(index - 1);
  }
  return absence;
}

bool is_absent(const Hash& root, const std::string& key, const Absence& absence) {
  const auto& [before, after] = absence;
  const auto is_there = [&](const Neighbour& neighbour) {
    return is_present(root, neighbour.key, neighbour.bytes, neighbour.presence);
  };
  if ((before && !(before->key < key && is_there(*before))) ||
      (after && !(key < after->key && is_there(*after)))) {
    return false;
  }
  if (before && after) {
    return before->presence.index + 1 == after->presence.index &&
           before->presence.entries == after->presence.entries;
  }
  if (before) {
    return before->presence.index + 1 == before->presence.entries;
  }
  return after ? after->presence.index == 0 : root == crypto::hash(state_mode(), {});
}
bool is_present(const Hash& root,
                const std::string& key,
                ByteView bytes,
                const Presence& presence) {
  if (presence.entries > entries_max || presence.index >= presence.entries) {
    return false;
  }
  const uint64_t chunks = crypto::chunk_count(presence.entries * 32);
  const uint64_t chunk = presence.index / entries_per_chunk;
  const uint64_t here = std::min(entries_per_chunk, presence.entries - chunk * entries_per_chunk);
  if (presence.path.chunk.size() != here * 32) {
    return false;
  }
  const Hash entry = entry_hash(key, bytes);
  const size_t offset = (presence.index % entries_per_chunk) * 32;
  if (std::memcmp(presence.path.chunk.data() + offset, entry.bytes.data(), 32) != 0) {
    return false;
  }
  const auto top =
      crypto::climb(state_mode(), presence.path.chunk, chunk, chunks, presence.path.siblings);
  return top.ok() && top->first == 0 && top->last == chunks && top->cv == root;
}

}  // namespace lockstep::ledger
