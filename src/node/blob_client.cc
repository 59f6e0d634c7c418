// Wishes for blobs, one fetch an address however many want it, and what becomes of answers.
#include "node/blob_client.h"

#include <algorithm>

#include "base/check.h"

namespace lockstep::node {
namespace {

// A busy holder says how long; not shorter or longer than this.
constexpr uint64_t busy_ms_min = 20;
constexpr uint64_t busy_ms_max = 10'000;

}  // namespace

// ---- wishes

bool BlobClient::is_liar(const Hash& address, const PublicKey& holder) const {
  return liars_.contains({address, holder});
}

void BlobClient::add_liar(const Hash& address, const PublicKey& holder) {
  if (!liars_.insert({address, holder}).second) {
    return;
  }
  liars_in_order_.emplace_back(address, holder);
  if (liars_in_order_.size() > liars_max) {
    liars_.erase(liars_in_order_.front());
    liars_in_order_.pop_front();
  }
}

void BlobClient::join(Wanted& wanted, const Hash& address, const PublicKey& holder) {
  const bool known =
      std::find(wanted.holders.begin(), wanted.holders.end(), holder) != wanted.holders.end();
  if (!known && wanted.holders.size() < holders_max && !is_liar(address, holder)) {
    wanted.holders.push_back(holder);
  }
}

/// What an earlier life has left of it. A store that cannot tell has nothing: begun anew.
void BlobClient::begin(uint64_t now_ms, const Hash& address) {
  const auto wish = wanted_.find(address);
  if (wish == wanted_.end()) {
    return;
  }
  auto state = parts_.resume(address);
  if (state.ok() && *state) {
    wish->second.total = (*state)->total;
    wish->second.unasked = std::move((*state)->missing);
  }
  if (wish->second.has_all()) {
    finish(now_ms, wish);
  } else if (wish->second.holders.empty()) {
    fail_without_holders(wish);
  }
}

void BlobClient::fetch(uint64_t now_ms,
                       uint64_t group,
                       std::span<const Hash> addresses,
                       const PublicKey& from) {
  now_ms_ = now_ms;
  ready_.erase(group);
  failed_.erase(group);
  std::set<Hash>& missing = missing_[group];
  std::vector<Hash> fresh;
  for (const Hash& address : addresses) {
    // A store that cannot tell is asked again when the blob comes.
    const auto here = blobs_->has(address);
    if (here.ok() && *here) {
      continue;
    }
    missing.insert(address);
    const auto [wanted, is_new] = wanted_.try_emplace(address);
    wanted->second.groups.insert(group);
    join(wanted->second, address, from);
    if (is_new) {
      fresh.push_back(address);
    }
  }
  // From here on a blob may be complete or given up at once, and the group with it.
  for (const Hash& address : fresh) {
    begin(now_ms, address);
  }
  const auto left = missing_.find(group);
  if (left != missing_.end() && left->second.empty()) {
    missing_.erase(left);
    ready_.insert(group);
  }
  ask_all(now_ms);
}

void BlobClient::add_holder(uint64_t now_ms, const Hash& address, const PublicKey& holder) {
  now_ms_ = now_ms;
  const auto wish = wanted_.find(address);
  if (wish != wanted_.end()) {
    join(wish->second, address, holder);
    ask_all(now_ms);
  }
}

void BlobClient::erase(Wish wish) {
  Wanted& wanted = wish->second;
  while (!wanted.asked.empty()) {
    take_back(wanted, wanted.asked.begin());
  }
  parts_.release(wish->first);
  wanted_.erase(wish);
  if (wanted_.empty()) {
    peers_.clear();  // nothing is asked of anybody
  }
}

void BlobClient::drop(uint64_t group) {
  const auto found = missing_.find(group);
  if (found == missing_.end()) {
    return;
  }
  for (const Hash& address : found->second) {
    const auto wish = wanted_.find(address);
    CHECK(wish != wanted_.end());  // what a group misses is wanted
    wish->second.groups.erase(group);
    if (wish->second.groups.empty()) {
      erase(wish);
    }
  }
  missing_.erase(found);
}

void BlobClient::forget(uint64_t group) {
  drop(group);
  ready_.erase(group);
  failed_.erase(group);
}

std::vector<uint64_t> BlobClient::take_ready() {
  const std::set<uint64_t> taken = std::exchange(ready_, {});
  return {taken.begin(), taken.end()};
}

std::vector<BlobClient::Failure> BlobClient::take_failures() {
  std::vector<Failure> failures;
  failures.reserve(failed_.size());
  for (auto& [group, error] : std::exchange(failed_, {})) {
    failures.push_back({group, error});
  }
  return failures;
}

std::vector<uint64_t> BlobClient::take_failed() {
  std::vector<uint64_t> groups;
  groups.reserve(failed_.size());
  for (const auto& [group, error] : std::exchange(failed_, {})) {
    groups.push_back(group);
  }
  return groups;
}

void BlobClient::complete(Wish wish) {
  const Hash address = wish->first;
  const std::set<uint64_t> groups = wish->second.groups;
  erase(wish);
  for (const uint64_t group : groups) {
    std::set<Hash>& missing = missing_.at(group);
    missing.erase(address);
    if (missing.empty()) {
      missing_.erase(group);
      ready_.insert(group);
    }
  }
}

void BlobClient::fail(Wish wish, const Error& error) {
  const std::set<uint64_t> groups = wish->second.groups;
  for (const uint64_t group : groups) {
    drop(group);  // the last one takes the wish away
    failed_.insert_or_assign(group, error);
  }
}

void BlobClient::fail_without_holders(Wish wish) {
  const auto liar = liars_.lower_bound({wish->first, PublicKey()});
  const bool lied_to = liar != liars_.end() && liar->first == wish->first;
  fail(wish,
       lied_to ? refuse(Code::wrong_hash,
                        "who was asked for a blob gave other bytes",
                        {},
                        to_hex(wish->first.view()))
               : refuse(Code::blob_missing,
                        "nobody who was asked has the blob",
                        {},
                        to_hex(wish->first.view())));
}

// ---- answers

void BlobClient::on_ask(uint64_t now_ms, const PublicKey& from, const net::AskBlob& ask) {
  now_ms_ = now_ms;
  server_.on_ask(now_ms, from, ask);
}

void BlobClient::on_give(uint64_t now_ms, const PublicKey& from, const net::GiveBlob& give) {
  now_ms_ = now_ms;
  const auto wish = wanted_.find(give.address);
  if (wish == wanted_.end()) {
    counts_.duplicates += give.answer == net::BlobAnswer::piece ? 1 : 0;
    return;
  }
  const std::vector<PublicKey>& holders = wish->second.holders;
  if (std::find(holders.begin(), holders.end(), from) == holders.end()) {
    return;  // it was not asked, or is not asked any more
  }
  switch (give.answer) {
    case net::BlobAnswer::missing:
      give_up(wish, from);
      break;
    case net::BlobAnswer::busy:
      on_busy(now_ms, wish, from, give);
      break;
    case net::BlobAnswer::piece:
      on_piece(now_ms, wish, from, give);
      break;
  }
  ask_all(now_ms);
}

/// Not asked for this blob again; what it was asked for goes to others.
void BlobClient::give_up(Wish wish, const PublicKey& holder) {
  Wanted& wanted = wish->second;
  for (auto at = wanted.asked.begin(); at != wanted.asked.end();) {
    const auto question = at++;
    if (question->second.to == holder) {
      take_back(wanted, question);
    }
  }
  std::erase(wanted.holders, holder);
  if (wanted.holders.empty() && !wanted.has_all()) {
    fail_without_holders(wish);
  }
}

void BlobClient::on_busy(uint64_t now_ms,
                         Wish wish,
                         const PublicKey& from,
                         const net::GiveBlob& give) {
  ++counts_.busy;
  Wanted& wanted = wish->second;
  for (auto at = wanted.asked.lower_bound(give.index); at != wanted.asked.end();) {
    const auto question = at++;
    if (question->first - give.index >= give.count) {
      break;
    }
    if (question->second.to == from) {
      take_back(wanted, question);
    }
  }
  peers_[from].busy_until_ms =
      now_ms + std::clamp<uint64_t>(give.wait_ms, busy_ms_min, busy_ms_max);
}

/// Whether the piece is still to come; where the size is unknown the last one is.
bool BlobClient::is_wanted(const Wanted& wanted, const net::GiveBlob& give) {
  if (!wanted.total) {
    return true;
  }
  return wanted.unasked.contains(give.index) || wanted.asked.contains(give.index);
}

void BlobClient::on_piece(uint64_t now_ms,
                          Wish wish,
                          const PublicKey& from,
                          const net::GiveBlob& give) {
  Wanted& wanted = wish->second;
  if (!is_wanted(wanted, give)) {
    ++counts_.duplicates;
    return;
  }
  // The first piece must be the last one: only it proves the size.
  const bool fits =
      wanted.total ? give.total == *wanted.total : give.index + 1 == store::piece_count(give.total);
  const bool right =
      fits &&
      store::check_piece(blobs_->mode(), wish->first, give.total, give.index, give.bytes, give.path)
          .ok();
  if (!right) {
    ++counts_.lies;
    add_liar(wish->first, from);
    give_up(wish, from);
    return;
  }
  answered(now_ms, wanted, wanted.total ? give.index : net::last_piece, from);
  if (!wanted.total) {
    on_first(now_ms, wish, give);
    return;
  }
  const auto added = parts_.add(wish->first, give.index, {give.bytes, give.path});
  if (!added.ok()) {
    wanted.unasked.insert(give.index);
    store_failed(now_ms, wish, added.error());
    return;
  }
  ++counts_.pieces;
  wanted.unasked.erase(give.index);
  if (wanted.has_all()) {
    finish(now_ms, wish);
  }
}

/// The size is known now; a blob of one piece is here.
void BlobClient::on_first(uint64_t now_ms, Wish wish, const net::GiveBlob& give) {
  if (store::piece_count(give.total) == 1) {
    const auto put = blobs_->put_as(wish->first, give.bytes);
    if (!put.ok()) {
      store_failed(now_ms, wish, put.error());
      return;
    }
    ++counts_.pieces;
    complete(wish);
    return;
  }
  auto state = parts_.begin(wish->first, give.total, {give.bytes, give.path});
  if (!state.ok()) {
    store_failed(now_ms, wish, state.error());
    return;
  }
  ++counts_.pieces;
  wish->second.total = give.total;
  wish->second.unasked = std::move(state->missing);
}

void BlobClient::finish(uint64_t now_ms, Wish wish) {
  auto changed = parts_.finish(wish->first);
  if (!changed.ok()) {
    store_failed(now_ms, wish, changed.error());
    return;
  }
  if (changed->empty()) {
    complete(wish);
    return;
  }
  wish->second.unasked = std::move(changed).value();
  if (wish->second.holders.empty()) {
    fail_without_holders(wish);
  }
}

/// Where there is no room the wish is over; any other failure may pass.
void BlobClient::store_failed(uint64_t now_ms, Wish wish, const Error& error) {
  if (error.code == Code::disk_full) {
    fail(wish, error);
    return;
  }
  wish->second.rests_until_ms = now_ms + retry_ms;
}

void BlobClient::tick(uint64_t now_ms) {
  now_ms_ = now_ms;
  std::vector<Hash> whole;
  for (auto& [address, wanted] : wanted_) {
    missed(now_ms, wanted);
    if (wanted.has_all() && now_ms >= wanted.rests_until_ms) {
      whole.push_back(address);
    }
  }
  for (const Hash& address : whole) {
    const auto wish = wanted_.find(address);
    if (wish != wanted_.end()) {
      finish(now_ms, wish);
    }
  }
  ask_all(now_ms);
}

}  // namespace lockstep::node
