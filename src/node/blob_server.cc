#include "node/blob_server.h"

#include <algorithm>

namespace lockstep::node {
namespace {

constexpr uint64_t ms_per_second = 1000;

}  // namespace

void BlobServer::fill(uint64_t now_ms, Bucket& bucket) const {
  // A clock that was put back fills nothing.
  const uint64_t waited_ms = now_ms > bucket.filled_ms ? now_ms - bucket.filled_ms : 0;
  const auto burst = static_cast<int64_t>(limits_.burst_bytes);
  const uint64_t full_ms = 1 + static_cast<uint64_t>(burst - bucket.bytes) * ms_per_second /
                                   std::max<uint64_t>(1, limits_.bytes_per_second);
  if (waited_ms >= full_ms) {
    bucket.bytes = burst;
    bucket.filled_ms = now_ms;
    return;
  }
  const uint64_t more = waited_ms * limits_.bytes_per_second / ms_per_second;
  if (more > 0) {
    bucket.bytes = std::min(burst, bucket.bytes + static_cast<int64_t>(more));
    bucket.filled_ms = now_ms;
  }
}

BlobServer::Bucket& BlobServer::bucket_of(uint64_t now_ms, const PublicKey& peer) {
  if (!buckets_.contains(peer) && buckets_.size() >= peers_max) {
    // Full ones say nothing; where all are in use, those who come later share the trouble.
    const auto is_full = [&](const auto& entry) {
      Bucket bucket = entry.second;
      fill(now_ms, bucket);
      return bucket.bytes == static_cast<int64_t>(limits_.burst_bytes);
    };
    std::erase_if(buckets_, is_full);
    if (buckets_.size() >= peers_max) {
      buckets_.erase(buckets_.begin());
    }
  }
  const Bucket fresh{static_cast<int64_t>(limits_.burst_bytes), now_ms};
  Bucket& bucket = buckets_.try_emplace(peer, fresh).first->second;
  fill(now_ms, bucket);
  return bucket;
}

const store::Blobs::Opened* BlobServer::open(const Hash& address, Bucket& bucket) {
  const auto found = std::find_if(
      open_.begin(), open_.end(), [&](const Open& one) { return one.address == address; });
  if (found != open_.end()) {
    open_.splice(open_.begin(), open_, found);
    return &open_.front().blob;
  }
  auto opened = blobs_->open(address);
  if (!opened.ok() || opened->bytes.size() > store::blob_bytes_max) {
    return nullptr;
  }
  ++opened_;
  bucket.bytes -= static_cast<int64_t>(opened->bytes.size() / open_share);
  open_.push_front({address, std::move(opened).value()});
  open_bytes_ += open_.front().bytes();
  while (open_.size() > 1 &&
         (open_.size() > limits_.open_max || open_bytes_ > limits_.open_bytes_max)) {
    open_bytes_ -= open_.back().bytes();
    open_.pop_back();
  }
  return &open_.front().blob;
}

void BlobServer::give(const PublicKey& to, net::GiveBlob give) {
  effects_->push_back(Send{to, std::move(give)});
}

void BlobServer::say_busy(const PublicKey& to, const net::AskBlob& rest, const Bucket& bucket) {
  const uint64_t debt = static_cast<uint64_t>(std::max<int64_t>(0, -bucket.bytes));
  const uint64_t rate = std::max<uint64_t>(1, limits_.bytes_per_second);
  net::GiveBlob busy{rest.address, net::BlobAnswer::busy, rest.first, rest.count};
  busy.wait_ms =
      static_cast<uint32_t>(std::min<uint64_t>(UINT32_MAX, 1 + debt * ms_per_second / rate));
  give(to, std::move(busy));
}

void BlobServer::on_ask(uint64_t now_ms, const PublicKey& from, const net::AskBlob& ask) {
  Bucket& bucket = bucket_of(now_ms, from);
  if (bucket.bytes <= 0) {
    say_busy(from, ask, bucket);
    return;
  }
  bucket.bytes -= static_cast<int64_t>(ask_cost);
  const store::Blobs::Opened* const blob = open(ask.address, bucket);
  if (blob == nullptr) {
    give(from, {ask.address});
    return;
  }
  const uint64_t total = blob->bytes.size();
  const uint64_t pieces = store::piece_count(total);
  uint64_t index = ask.first == net::last_piece ? pieces - 1 : ask.first;
  const uint32_t count = std::min(ask.count, limits_.pieces_max);
  for (uint32_t i = 0; i < count && index < pieces; ++i, ++index) {
    if (i > 0 && bucket.bytes <= 0) {
      say_busy(from, {ask.address, index, ask.count - i}, bucket);
      return;
    }
    const uint64_t size = store::piece_size(total, index);
    const auto begin = blob->bytes.begin() + static_cast<ptrdiff_t>(index * store::piece_bytes);
    net::GiveBlob piece{ask.address, net::BlobAnswer::piece, index};
    piece.total = total;
    piece.bytes.assign(begin, begin + static_cast<ptrdiff_t>(size));
    piece.path = blob->tree.path(index);
    bucket.bytes -= static_cast<int64_t>(size);
    give(from, std::move(piece));
  }
}

}  // namespace lockstep::node
