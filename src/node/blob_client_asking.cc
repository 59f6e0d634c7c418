// Whom a node asks for which piece: as many at a time of each holder as it answers quickly, and
// others where one is slow.
#include <algorithm>

#include "base/check.h"
#include "node/blob_client.h"

namespace lockstep::node {
namespace {

constexpr uint32_t doublings_max = 2;  // of the patience with one that does not answer
constexpr uint64_t patience_ms_max = 5'000;
constexpr uint64_t usual_share = 8;  // how slowly a good time is believed
constexpr uint32_t run_max = 16;     // pieces in one question

}  // namespace

uint64_t BlobClient::patience_ms(const Peer& peer) {
  const uint64_t base = std::max(2 * peer.usual_ms, retry_ms);
  return std::min(base << std::min(peer.misses, doublings_max), patience_ms_max);
}

void BlobClient::free_place(const PublicKey& peer, uint64_t piece) {
  Peer& its = peers_[peer];
  uint32_t& places = piece == net::last_piece ? its.firsts : its.asked;
  CHECK(places > 0);  // it was counted when it was asked
  --places;
}

void BlobClient::note(uint64_t now_ms, Wanted& wanted, uint64_t piece, const PublicKey& to) {
  Peer& peer = peers_[to];
  ++(piece == net::last_piece ? peer.firsts : peer.asked);
  wanted.unasked.erase(piece);
  wanted.asked[piece] = {to, now_ms, now_ms + patience_ms(peer)};
}

/// A question is over without an answer: the piece is to be asked for again.
void BlobClient::take_back(Wanted& wanted, Questions::iterator question) {
  free_place(question->second.to, question->first);
  if (question->first != net::last_piece) {
    wanted.unasked.insert(question->first);
  }
  wanted.asked.erase(question);
}

/// Counts how long a right answer took, from the first time that it was asked for.
void BlobClient::answered(uint64_t now_ms, Wanted& wanted, uint64_t piece, const PublicKey& from) {
  std::optional<uint64_t> asked_ms;
  bool in_time = false;
  if (const auto question = wanted.asked.find(piece); question != wanted.asked.end()) {
    if (question->second.to == from) {
      asked_ms = question->second.asked_ms;
      in_time = true;
    }
    take_back(wanted, question);
  }
  if (const auto late = wanted.late.find(piece); late != wanted.late.end()) {
    if (late->second.to == from) {
      asked_ms = late->second.asked_ms;
      in_time = false;
    }
    wanted.late.erase(late);
  }
  wanted.unasked.erase(piece);
  if (!asked_ms) {
    return;
  }
  Peer& peer = peers_[from];
  const uint64_t took_ms = now_ms > *asked_ms ? now_ms - *asked_ms : 0;
  peer.usual_ms = std::max(took_ms, peer.usual_ms - peer.usual_ms / usual_share);
  peer.slow_until_ms = 0;
  if (!in_time) {
    return;
  }
  peer.misses = 0;
  // A window of what comes in half of retry_ms: more would only wait at the other side.
  if (took_ms <= retry_ms / 2) {
    peer.window = std::min(peer.window + 1, window_max);
  } else if (took_ms > retry_ms) {
    peer.window = std::max<uint32_t>(1, peer.window - 1);
  }
}

/// Questions that are due: asked again, of others if there are any.
void BlobClient::missed(uint64_t now_ms, Wanted& wanted) {
  for (auto at = wanted.asked.begin(); at != wanted.asked.end();) {
    const auto question = at++;
    const auto [to, asked_ms, due_ms] = question->second;
    if (now_ms < due_ms) {
      continue;
    }
    ++counts_.late;
    Peer& peer = peers_[to];
    if (asked_ms >= peer.missed_ms) {  // once for all that was asked together
      peer.slow_until_ms = now_ms + 2 * patience_ms(peer);
      peer.missed_ms = now_ms;
      peer.misses += 1;
      peer.window = std::max<uint32_t>(1, peer.window / 2);
    }
    // The oldest question to the same holder tells how long it takes.
    const auto late = wanted.late.find(question->first);
    if (late == wanted.late.end() || late->second.to != to) {
      wanted.late.insert_or_assign(question->first, question->second);
    }
    take_back(wanted, question);
  }
}

/// The holder with the most free places: one that answers fast has more of them. One that did not
/// answer lately is asked only when all others did not either.
const PublicKey* BlobClient::choose(uint64_t now_ms, const Wanted& wanted, bool first) {
  const PublicKey* best = nullptr;
  std::pair<bool, uint32_t> best_rank;
  bool any_awake = false;
  for (const PublicKey& holder : wanted.holders) {
    const Peer& peer = peers_[holder];
    any_awake = any_awake || now_ms >= std::max(peer.slow_until_ms, peer.busy_until_ms);
  }
  for (const PublicKey& holder : wanted.holders) {
    const Peer& peer = peers_[holder];
    const uint32_t places = first ? firsts_max : peer.window;
    const uint32_t taken = first ? peer.firsts : peer.asked;
    const bool awake = now_ms >= peer.slow_until_ms;
    if (now_ms < peer.busy_until_ms || taken >= places || (any_awake && !awake)) {
      continue;
    }
    const std::pair<bool, uint32_t> rank = {awake, places - taken};
    if (best == nullptr || rank > best_rank) {
      best = &holder;
      best_rank = rank;
    }
  }
  return best;
}

void BlobClient::ask_first(uint64_t now_ms, Wish wish) {
  Wanted& wanted = wish->second;
  if (!wanted.asked.empty()) {
    return;
  }
  if (const PublicKey* const to = choose(now_ms, wanted, true)) {
    note(now_ms, wanted, net::last_piece, *to);
    effects_->push_back(Send{*to, net::AskBlob{wish->first}});
  }
}

/// Pieces in a row that go to the same holder are one question.
void BlobClient::ask_pieces(uint64_t now_ms, Wish wish) {
  Wanted& wanted = wish->second;
  std::map<PublicKey, std::vector<net::AskBlob>> asks;
  while (!wanted.unasked.empty()) {
    const PublicKey* const to = choose(now_ms, wanted, false);
    if (to == nullptr) {
      break;
    }
    const uint64_t piece = *wanted.unasked.begin();
    note(now_ms, wanted, piece, *to);
    std::vector<net::AskBlob>& its = asks[*to];
    if (!its.empty() && its.back().first + its.back().count == piece &&
        its.back().count < run_max) {
      ++its.back().count;
    } else {
      its.push_back({wish->first, piece, 1});
    }
  }
  for (const auto& [to, questions] : asks) {
    for (const net::AskBlob& ask : questions) {
      effects_->push_back(Send{to, ask});
    }
  }
}

void BlobClient::ask_all(uint64_t now_ms) {
  for (auto wish = wanted_.begin(); wish != wanted_.end(); ++wish) {
    if (now_ms < wish->second.rests_until_ms) {
      continue;
    }
    if (!wish->second.total) {
      ask_first(now_ms, wish);
    } else if (!wish->second.unasked.empty()) {
      ask_pieces(now_ms, wish);
    }
  }
}

}  // namespace lockstep::node
