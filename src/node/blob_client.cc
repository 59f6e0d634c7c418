// Wishes for blobs, one question an address however many want it, and answers to others' questions.
#include "node/blob_client.h"

#include "law/roots.h"

namespace lockstep::node {

void BlobClient::ask(const Hash& address, const PublicKey& from) {
  effects_->push_back(Send{from, net::AskBlob{address}});
}

void BlobClient::fetch(uint64_t now_ms,
                       uint64_t group,
                       std::span<const Hash> addresses,
                       const PublicKey& from) {
  std::set<Hash>& missing = missing_[group];
  for (const Hash& address : addresses) {
    // A store that cannot tell is asked again when the blob comes.
    const auto here = blobs_->has(address);
    if (here.ok() && *here) {
      continue;
    }
    missing.insert(address);
    const auto [wanted, is_new] = wanted_.try_emplace(address, Wanted{from, now_ms, {}});
    wanted->second.from = from;
    wanted->second.groups.insert(group);
    if (is_new) {
      ask(address, from);
    }
  }
  if (missing.empty()) {
    missing_.erase(group);
    ready_.insert(group);
  } else {
    ready_.erase(group);
  }
}

void BlobClient::drop(uint64_t group) {
  const auto found = missing_.find(group);
  if (found == missing_.end()) {
    return;
  }
  for (const Hash& address : found->second) {
    const auto wanted = wanted_.find(address);
    wanted->second.groups.erase(group);
    if (wanted->second.groups.empty()) {
      wanted_.erase(wanted);
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

std::vector<uint64_t> BlobClient::take_failed() {
  const std::set<uint64_t> taken = std::exchange(failed_, {});
  return {taken.begin(), taken.end()};
}

void BlobClient::on_ask(const PublicKey& from, const net::AskBlob& ask) {
  auto bytes = blobs_->get(ask.address);
  net::GiveBlob give = {ask.address, bytes.ok(), {}};
  if (bytes.ok()) {
    give.bytes = std::move(bytes).value();
  }
  effects_->push_back(Send{from, std::move(give)});
}

void BlobClient::on_give(const PublicKey& from, const net::GiveBlob& give) {
  const auto wanted = wanted_.find(give.address);
  if (wanted == wanted_.end()) {
    return;
  }
  const std::set<uint64_t> groups = wanted->second.groups;
  if (!give.found && from != wanted->second.from) {
    return;  // it was not asked
  }
  if (!give.found) {
    for (const uint64_t group : groups) {
      drop(group);
      failed_.insert(group);
    }
    return;
  }
  // Other bytes, or a store that does not take them: tick() asks again.
  if (crypto::hash(law::data_mode(), give.bytes) != give.address || !blobs_->put(give.bytes).ok()) {
    return;
  }
  wanted_.erase(wanted);
  for (const uint64_t group : groups) {
    std::set<Hash>& missing = missing_.at(group);
    missing.erase(give.address);
    if (missing.empty()) {
      missing_.erase(group);
      ready_.insert(group);
    }
  }
}

void BlobClient::tick(uint64_t now_ms) {
  for (auto& [address, wanted] : wanted_) {
    if (now_ms - wanted.asked_ms >= retry_ms) {
      wanted.asked_ms = now_ms;
      ask(address, wanted.from);
    }
  }
}

}  // namespace lockstep::node
