#include "sim/disk.h"

#include <algorithm>

#include "codec/record.h"
#include "crypto/blake3.h"

namespace lockstep::sim {
namespace {

using env::KeyValue;

Hash checksum(ByteView bytes) {
  static const crypto::Mode mode = crypto::Mode::derive("lockstep v1 journal");
  return crypto::hash(mode, bytes);
}

Hash checksum(const std::string& key, const Bytes& value) {
  codec::Writer writer;
  writer.string(key);
  writer.string(ByteView(value));
  return checksum(writer.bytes());
}

/// A change as it stands in the journal: in a batch behind its length and before its checksum.
struct Entry {
  std::string key;
  std::optional<Bytes> value;
  Hash sum;
  template <class Self, class Visit>
  static void each(Self& self, Visit&& visit) {
    visit(self.key, self.value, self.sum);
  }
};

Error is_down_error() {
  return refuse(Code::io_failed, "the disk is down", "restart the machine");
}

Error is_full_error() {
  return refuse(Code::io_failed, "the disk is full", "make room");
}

void flip_bit(Bytes& bytes, size_t at, Random& random) {
  bytes.at(at) = static_cast<uint8_t>(bytes.at(at) ^ (1U << random.between(0, 7)));
}

/// Whole blobs and pieces of unfinished ones; not the small records that a store keeps about them.
bool is_blob_data(const std::string& key) {
  return key.starts_with("blob/") || key.starts_with("part/");
}

/// A write of the roles by name, and the first of its three crash points.
struct Site {
  const char* name;
  FaultPoint first;
};

Site requester_site(const std::string& key) {
  if (is_blob_data(key)) {
    return {"blob", FaultPoint::requester_blob_before};
  }
  if (key.starts_with("block/")) {
    return {"block", FaultPoint::requester_block_before};
  }
  if (key.starts_with("placed/")) {
    return {"placed", FaultPoint::placed_before};
  }
  return key.starts_with("accepted/") ? Site{"accepted", FaultPoint::accepted_before}
                                      : Site{"job", FaultPoint::job_before};
}

Site site_of(DiskFaults::Owner owner, const std::vector<KeyValue::Change>& batch) {
  if (owner == DiskFaults::Owner::ledger) {
    return {"block", FaultPoint::block_before};
  }
  if (owner == DiskFaults::Owner::requester) {
    return requester_site(batch.empty() ? std::string() : batch.front().key);
  }
  if (!batch.empty() && is_blob_data(batch.front().key)) {
    return {"blob",
            owner == DiskFaults::Owner::provider ? FaultPoint::provider_blob_before
                                                 : FaultPoint::auditor_blob_before};
  }
  if (!batch.empty() && batch.front().key.starts_with("block/")) {
    return {"block", FaultPoint::log_before};
  }
  if (!batch.empty() && !batch.front().value) {
    return {"forget", FaultPoint::forget_before};
  }
  return batch.size() == 1 ? Site{"voucher", FaultPoint::voucher_before}
                           : Site{"receipt", FaultPoint::receipt_before};
}

FaultPoint after(FaultPoint first, int steps) {
  return static_cast<FaultPoint>(static_cast<int>(first) + steps);
}

}  // namespace

DiskFaults::Fate DiskFaults::write(const std::vector<KeyValue::Change>& batch, size_t size) {
  const Site site = site_of(owner_, batch);
  const bool blob = std::string_view(site.name) == "blob";
  const bool meant = armed_ && armed_->point != model::CrashPoint::after_send &&
                     (armed_->site.empty() || armed_->site == site.name);
  const bool strikes = meant && armed_->skip == 0;
  if (!strikes) {
    if (meant) {
      --armed_->skip;
    }
    if (full_) {
      fired(blob ? FaultPoint::blob_full : FaultPoint::disk_full);
    }
    return {full_, std::nullopt};
  }
  Armed armed = *armed_;
  armed_.reset();
  if (armed.point == model::CrashPoint::before_write || size < 2) {
    fired(site.first);
    fired(blob ? FaultPoint::blob_lost : FaultPoint::disk_lost);
    return {false, size_t{0}};
  }
  if (armed.point == model::CrashPoint::torn_write) {
    fired(after(site.first, 1));
    fired(blob ? FaultPoint::blob_torn : FaultPoint::disk_torn);
    return {false, armed.random.between(1, size - 1)};
  }
  fired(after(site.first, 2));
  return {false, size};
}

Result<std::optional<Bytes>> Disk::get(const std::string& key) {
  if (down_) {
    return is_down_error();
  }
  const auto found = values_.find(key);
  if (found == values_.end()) {
    return std::optional<Bytes>();
  }
  if (checksum(key, found->second.value) != found->second.sum) {
    if (faults_ != nullptr) {
      faults_->fired(FaultPoint::disk_rot_noticed);
    }
    return refuse(Code::io_failed,
                  "a stored value does not have its checksum",
                  "restore it from a copy",
                  key);
  }
  return std::optional<Bytes>(found->second.value);
}

void Disk::go_down(ByteView record, size_t kept) {
  journal_.insert(journal_.end(), record.begin(), record.begin() + static_cast<ptrdiff_t>(kept));
  down_ = true;
}

Result<std::vector<std::string>> Disk::keys(const std::string& prefix,
                                            const std::string& after,
                                            size_t count_max) {
  if (down_) {
    return is_down_error();
  }
  return env::keys_of(values_, prefix, after, count_max);
}

Result<void> Disk::apply(std::vector<Change> batch) {
  if (down_) {
    return is_down_error();
  }
  std::vector<Entry> entries;
  entries.reserve(batch.size());
  for (const Change& change : batch) {
    const Hash sum = change.value ? checksum(change.key, *change.value) : Hash();
    entries.push_back({change.key, change.value, sum});
  }
  const Bytes body = codec::encode(entries);
  codec::Writer record;
  record.string(ByteView(body));
  record.hash(checksum(body));
  const Bytes& bytes = record.bytes();
  if (armed_) {
    go_down(bytes, armed_->between(0, bytes.size()));
    armed_.reset();
    return is_down_error();
  }
  const DiskFaults::Fate fate =
      faults_ != nullptr ? faults_->write(batch, bytes.size()) : DiskFaults::Fate();
  if (fate.full) {
    return is_full_error();
  }
  if (fate.kept) {
    go_down(bytes, *fate.kept);
    return is_down_error();
  }
  journal_.insert(journal_.end(), bytes.begin(), bytes.end());
  for (Entry& entry : entries) {
    if (entry.value) {
      values_[entry.key] = {std::move(*entry.value), entry.sum};
    } else {
      values_.erase(entry.key);
    }
  }
  return {};
}

void Disk::restart() {
  down_ = false;
  armed_.reset();
  replay();
}

/// A torn record is a prefix of one. A whole one with a wrong checksum has rotted: its values are
/// kept with their own checksums, so that get() tells the rotten one from the others.
void Disk::replay() {
  values_.clear();
  size_t whole = 0;
  codec::Reader reader(journal_);
  while (reader.left() > 0) {
    const auto body = reader.string(codec::field_bytes_max);
    const auto sum = body.ok() ? reader.hash() : Result<Hash>(body.error());
    if (!sum.ok()) {
      break;
    }
    const auto entries = codec::decode<std::vector<Entry>>(*body);
    if (!entries.ok()) {
      break;
    }
    for (const Entry& entry : *entries) {
      if (entry.value) {
        values_[entry.key] = {*entry.value, entry.sum};
      } else {
        values_.erase(entry.key);
      }
    }
    whole = journal_.size() - reader.left();
  }
  journal_.resize(whole);
}

bool Disk::rot(Random random) {
  if (values_.empty() || down_) {
    return false;
  }
  auto chosen = values_.begin();
  std::advance(chosen, static_cast<ptrdiff_t>(random.between(0, values_.size() - 1)));
  Stored& stored = chosen->second;
  if (stored.value.empty()) {
    return false;
  }
  const Bytes before = codec::encode(Entry{chosen->first, stored.value, stored.sum});
  flip_bit(stored.value, random.between(0, stored.value.size() - 1), random);
  const Bytes rotten = codec::encode(Entry{chosen->first, stored.value, stored.sum});
  const auto at = std::find_end(journal_.begin(), journal_.end(), before.begin(), before.end());
  if (at != journal_.end()) {
    std::copy(rotten.begin(), rotten.end(), at);
  }
  return true;
}

Result<std::optional<Bytes>> BlobDisk::get(const std::string& key) {
  if (down_) {
    return is_down_error();
  }
  if (rotten_.contains(key)) {
    faults_->fired(FaultPoint::blob_rot_noticed);
  }
  return values_->get(key);
}

Result<std::vector<std::string>> BlobDisk::keys(const std::string& prefix,
                                                const std::string& after,
                                                size_t count_max) {
  if (down_) {
    return is_down_error();
  }
  return values_->keys(prefix, after, count_max);
}

Result<void> BlobDisk::apply(std::vector<Change> batch) {
  if (down_) {
    return is_down_error();
  }
  for (Change& change : batch) {
    const DiskFaults::Fate fate =
        change.value && is_blob_data(change.key)
            ? faults_->write({{change.key, Bytes()}}, change.value->size())
            : DiskFaults::Fate();
    if (fate.full) {
      return is_full_error();
    }
    if (fate.kept) {
      change.value->resize(*fate.kept);
      down_ = true;
    }
    if (down_ && *fate.kept == 0) {
      return is_down_error();
    }
    rotten_.erase(change.key);
    TRY(values_->apply({std::move(change)}));
    if (down_) {
      return is_down_error();
    }
  }
  return {};
}

bool BlobDisk::rot(Random random) {
  std::vector<std::string> data;
  for (const char* const prefix : {"blob/", "part/"}) {
    const auto keys = values_->keys(prefix, "", SIZE_MAX);
    if (keys.ok()) {
      data.insert(data.end(), keys->begin(), keys->end());
    }
  }
  if (data.empty() || down_) {
    return false;
  }
  const std::string& chosen = data[random.between(0, data.size() - 1)];
  auto value = values_->get(chosen);
  if (!value.ok() || !*value || (*value)->empty()) {
    return false;
  }
  flip_bit(**value, random.between(0, (*value)->size() - 1), random);
  rotten_.insert(chosen);
  return values_->apply({{chosen, **value}}).ok();
}

}  // namespace lockstep::sim
