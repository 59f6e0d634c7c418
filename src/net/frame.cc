#include "net/frame.h"

#include <algorithm>

namespace lockstep::net {

void put_head(Bytes& bytes, const FrameHead& head) {
  std::array<uint8_t, frame_head_bytes> raw{};
  std::memcpy(raw.data(), &head.size, sizeof head.size);
  raw[4] = static_cast<uint8_t>(head.kind);
  raw[5] = head.slot;
  bytes.insert(bytes.end(), raw.begin(), raw.end());
}

namespace {

struct SizeRange {
  uint32_t min = 0;
  uint32_t max = 0;
};

SizeRange sizes_of(FrameKind kind) {
  switch (kind) {
    case FrameKind::hello:
      return {2, hello_bytes_max};
    case FrameKind::bye:
      return {5, bye_bytes_max};
    case FrameKind::open:
      return {5, 5};
    case FrameKind::data:
      return {1, frame_bytes_max};
    case FrameKind::reset:
      return {0, 0};
    case FrameKind::stop:
    case FrameKind::grant:
      return {4, 4};
    case FrameKind::ping:
    case FrameKind::pong:
      return {8, 8};
  }
  return {1, 0};  // no size fits
}

/// How many values the head's last byte may have.
uint8_t places_of_kind(FrameKind kind) {
  switch (kind) {
    case FrameKind::open:
    case FrameKind::data:
    case FrameKind::reset:
    case FrameKind::stop:
      return slots;
    case FrameKind::grant:
      return priorities;
    default:
      return 1;
  }
}

}  // namespace

Result<FrameHead> read_head(std::span<const uint8_t, frame_head_bytes> bytes) {
  FrameHead head;
  std::memcpy(&head.size, bytes.data(), sizeof head.size);
  head.slot = bytes[5];
  if (bytes[4] > static_cast<uint8_t>(last_of(FrameKind{}))) {
    return refuse(Code::bad_message, "a frame of kind " + std::to_string(bytes[4]));
  }
  head.kind = static_cast<FrameKind>(bytes[4]);
  const SizeRange sizes = sizes_of(head.kind);
  if (head.size > sizes.max) {
    return refuse(Code::too_large,
                  "a frame of " + std::to_string(head.size) + " bytes, where at most " +
                      std::to_string(sizes.max) + " are allowed");
  }
  if (head.size < sizes.min || head.slot >= places_of_kind(head.kind)) {
    return refuse(Code::bad_message, "a frame's head is none that anybody sends");
  }
  return head;
}

std::vector<Place> places_of(const std::vector<env::Address>& addresses) {
  std::vector<Place> places;
  places.reserve(addresses.size());
  for (const env::Address& address : addresses) {
    places.push_back({address.host, address.port});
  }
  return places;
}

std::vector<env::Address> addresses_of(const std::vector<Place>& places) {
  std::vector<env::Address> addresses;
  addresses.reserve(places.size());
  for (const Place& place : places) {
    addresses.push_back({place.host, place.port});
  }
  return addresses;
}

Result<void> check_places(const std::vector<Place>& places) {
  const auto bad = [](const Place& place) {
    return place.host.empty() || place.host.size() > host_bytes_max || place.port == 0;
  };
  if (places.size() > places_max || std::any_of(places.begin(), places.end(), bad)) {
    return refuse(Code::bad_address, "a list of addresses that nobody can be reached at");
  }
  return {};
}

bool Allowance::ready(uint64_t now_ms) {
  if (per_second_ == 0) {
    return true;
  }
  if (now_ms > at_ms_) {
    // More than an hour fills any burst; the bound keeps the product small.
    const uint64_t passed = std::min<uint64_t>(now_ms - at_ms_, 3'600'000);
    const auto more = static_cast<int64_t>(passed * per_second_);
    const auto full = static_cast<int64_t>(milli_max_);
    milli_ = std::max(milli_, std::min(full, milli_ + more));
    at_ms_ = now_ms;
  }
  return milli_ > 0;
}

void Allowance::spend(uint64_t units) {
  if (per_second_ != 0) {
    milli_ -= static_cast<int64_t>(units) * 1000;
  }
}

}  // namespace lockstep::net
