// The hashes that bind tasks, lists, commitments and draws, and the arithmetic of prices.
#include "model/market.h"

#include <algorithm>

#include "crypto/blake3.h"

namespace lockstep::model {
namespace {

/// Integers beyond 64 bits; both compilers have them.
__extension__ using Wide = unsigned __int128;

constexpr uint64_t million = 1'000'000;

/// The least r with r² >= n.
uint64_t root_up(Wide n) {
  uint64_t low = 0;
  uint64_t high = uint64_t{1} << 62;
  while (low < high) {
    const uint64_t middle = low + (high - low) / 2;
    if (Wide{middle} * middle >= n) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return low;
}

Result<Amount> amount_of(Wide nano) {
  if (nano > static_cast<Wide>(INT64_MAX)) {
    return refuse(Code::overflow, "a price is larger than 64 bits hold");
  }
  return Amount::from_nano(static_cast<int64_t>(nano));
}

}  // namespace

Hash task_entry(const Hash& salt, uint32_t index, const Hash& root) {
  static const crypto::Mode mode = crypto::Mode::derive("lockstep v1 task entry");
  codec::Writer writer;
  writer.hash(salt);
  writer.number(index);
  writer.hash(root);
  return crypto::hash(mode, writer.bytes());
}

Hash task_list(const Hash& salt, std::span<const Hash> roots) {
  codec::Writer writer;
  for (size_t i = 0; i < roots.size(); ++i) {
    writer.hash(task_entry(salt, static_cast<uint32_t>(i), roots[i]));
  }
  return crypto::hash(task_list_mode(), writer.bytes());
}

const crypto::Mode& task_list_mode() {
  static const crypto::Mode mode = crypto::Mode::derive("lockstep v1 task list");
  return mode;
}

Hash audit_commitment(std::span<const Hash> roots,
                      const crypto::PublicKey& auditor,
                      const Hash& salt) {
  static const crypto::Mode mode = crypto::Mode::derive("lockstep v1 audit");
  codec::Writer writer;
  writer.number(static_cast<uint32_t>(roots.size()));
  for (const Hash& root : roots) {
    writer.hash(root);
  }
  writer.raw(auditor.bytes);
  writer.hash(salt);
  return crypto::hash(mode, writer.bytes());
}

Hash challenge_commitment(const ClaimId& claim,
                          uint32_t task,
                          const Hash& own_root,
                          const crypto::PublicKey& challenger,
                          const Hash& salt) {
  static const crypto::Mode mode = crypto::Mode::derive("lockstep v1 challenge");
  codec::Writer writer;
  writer.hash(claim.hash);
  writer.number(task);
  writer.hash(own_root);
  writer.raw(challenger.bytes);
  writer.hash(salt);
  return crypto::hash(mode, writer.bytes());
}

Hash draw_seed(const Hash& sequencer, const Hash& requester, const Hash& claim_root) {
  static const crypto::Mode mode = crypto::Mode::derive("lockstep v1 draw");
  codec::Writer writer;
  writer.hash(sequencer);
  writer.hash(requester);
  writer.hash(claim_root);
  return crypto::hash(mode, writer.bytes());
}

bool drawn(const Hash& seed, uint32_t index, uint32_t share_millionths) {
  if (share_millionths >= million) {
    return true;
  }
  static const crypto::Mode mode = crypto::Mode::derive("lockstep v1 drawn");
  codec::Writer writer;
  writer.hash(seed);
  writer.number(index);
  const Hash hash = crypto::hash(mode, writer.bytes());
  uint64_t number = 0;
  std::memcpy(&number, hash.bytes.data(), sizeof number);
  const auto bound = static_cast<uint64_t>((Wide{share_millionths} << 64) / million);
  return number < bound;
}

Result<Amount> price_of(uint64_t operations, Amount price_per_unit) {
  if (price_per_unit.nano() < 0) {
    return refuse(Code::out_of_range, "a price is below 0");
  }
  constexpr uint64_t operations_per_unit = 1'000'000'000;
  return amount_of(Wide{operations} * static_cast<uint64_t>(price_per_unit.nano()) /
                   operations_per_unit);
}

Result<Amount> audit_budget(Amount work_price, uint32_t share_millionths, uint64_t n) {
  if (work_price.nano() < 0 || share_millionths > million) {
    return refuse(Code::out_of_range, "a price is below 0, or a share above 1");
  }
  if (n == 0 || share_millionths == 0) {
    return Amount();
  }
  // 5√(p/n) in millionths is √(25·10⁶·share/n), rounded up before the sum.
  const Wide square = (Wide{25} * million * share_millionths + n - 1) / n;
  const uint64_t share = std::min<uint64_t>(million, share_millionths + root_up(square));
  return amount_of((Wide{static_cast<uint64_t>(work_price.nano())} * share + million - 1) /
                   million);
}

}  // namespace lockstep::model
