// RocksKeyValue: two column families, one log, recovery from a full disk, and a mark of what was
// acknowledged, against which the log is checked when the store is opened again.
#include "platform/rocks.h"

#include <fcntl.h>
#include <rocksdb/cache.h>
#include <rocksdb/db.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/listener.h>
#include <rocksdb/options.h>
#include <rocksdb/table.h>
#include <rocksdb/write_batch.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdarg>
#include <filesystem>
#include <mutex>
#include <set>
#include <shared_mutex>
#include <string_view>

#include "platform/files.h"
#include "platform/kill_point.h"

namespace lockstep::platform {
namespace {

using rocksdb::ColumnFamilyHandle;
using rocksdb::Slice;
using rocksdb::Status;

constexpr size_t large_bytes_min = size_t{32} << 10;  // values from this size on lie in "large"
constexpr const char* large_name = "large";
constexpr size_t reopen_bytes_min = size_t{1} << 20;  // beside what is in logs: manifest, new log
// The last byte of each value in the default family says where the value is.
constexpr uint8_t tag_here = 0;
constexpr uint8_t tag_large = 1;

Slice slice_of(const Bytes& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Recovery is ours alone: it happens in apply() and sync(), never beside them, by opening the
/// store anew. (Resuming is what RocksDB has for it, but 7.8 may wait for ever when the disk is
/// still full.)
class NoSelfRecovery final : public rocksdb::EventListener {
 public:
  void OnErrorRecoveryBegin(rocksdb::BackgroundErrorReason /*reason*/,
                            Status /*error*/,
                            bool* auto_recovery) override {
    *auto_recovery = false;
  }
};

/// Nothing is logged: errors come back as values, and a log on a full disk is one more thing that
/// fails (Debian's build aborts then).
class NoLog final : public rocksdb::Logger {
 public:
  using rocksdb::Logger::Logv;
  void Logv(const char* /*format*/, va_list /*values*/) override {}
};

/// The process whose lock on the store's lock file is in the way; 0 when nobody can say.
pid_t lock_holder(const std::string& folder) {
  const Descriptor file(::open((folder + "/LOCK").c_str(), O_RDWR | O_CLOEXEC));
  struct flock lock = {};
  lock.l_type = F_WRLCK;
  lock.l_whence = SEEK_SET;
  if (!file.ok() || ::fcntl(file.number(), F_GETLK, &lock) != 0 || lock.l_type == F_UNLCK) {
    return 0;
  }
  return lock.l_pid;
}

Error error_of(const Status& status, const std::string& folder) {
  const std::string text = status.ToString();
  const auto says = [&text](const char* words) { return text.find(words) != std::string::npos; };
  // Asking who holds a lock opens its file, and closing that would drop a lock of our own.
  if (says("lock hold by current process")) {
    return refuse(Code::in_use,
                  "this process has the store open already",
                  "give each node a folder of its own",
                  folder);
  }
  if (says("While lock file")) {
    const pid_t holder = lock_holder(folder);
    return refuse(Code::in_use,
                  (holder > 0 ? "process " + std::to_string(holder) : "another process") +
                      " has the store open",
                  "end it first, or give another folder",
                  folder);
  }
  if (status.IsNoSpace()) {
    return system_error(ENOSPC, "the store cannot be written", folder);
  }
  if (says("Read-only file system")) {
    return system_error(EROFS, "the store cannot be written", folder);
  }
  if (says("Permission denied")) {
    return system_error(EACCES, "the store cannot be opened", folder);
  }
  if (status.IsCorruption()) {
    return refuse(Code::io_failed,
                  "the store is damaged: " + text,
                  "check the disk; put a copy of this folder back, or start a new node",
                  folder);
  }
  return refuse(
      Code::io_failed, "the store failed: " + text, "check the folder and the disk", folder);
}

rocksdb::ColumnFamilyOptions family_options(const RocksOptions& options, bool large) {
  rocksdb::ColumnFamilyOptions family;
  family.write_buffer_size = options.buffer_bytes_max / 4;
  family.max_write_buffer_number = 2;
  family.compression = rocksdb::kNoCompression;  // weights and gradients do not compress
  family.paranoid_file_checks = true;
  family.level_compaction_dynamic_level_bytes = true;
  family.enable_blob_files = large;  // a compaction moves addresses, not blobs
  family.min_blob_size = 0;
  family.blob_file_size = uint64_t{256} << 20;
  family.enable_blob_garbage_collection = large;
  family.blob_garbage_collection_force_threshold = 0.5;
  rocksdb::BlockBasedTableOptions table;
  table.block_cache = rocksdb::NewLRUCache(options.cache_bytes_max);
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  table.cache_index_and_filter_blocks = true;
  family.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return family;
}

rocksdb::DBOptions store_options(const RocksOptions& options) {
  rocksdb::DBOptions store;
  store.create_if_missing = true;
  store.create_missing_column_families = true;
  store.paranoid_checks = true;
  store.track_and_verify_wals_in_manifest = true;
  // A log is read up to what a crash tore; the mark says whether that was acknowledged.
  store.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
  store.db_write_buffer_size = options.buffer_bytes_max;
  store.max_total_wal_size = 4 * options.buffer_bytes_max;
  store.max_open_files = 64;
  store.max_background_jobs = 2;
  store.max_file_opening_threads = 1;
  store.allow_fallocate = false;  // what is on disk is what was written
  store.stats_dump_period_sec = 0;
  store.stats_persist_period_sec = 0;
  store.info_log = std::make_shared<NoLog>();
  store.listeners.push_back(std::make_shared<NoSelfRecovery>());
  return store;
}

/// The number of the last change that was acknowledged, beside the store: it may lag after a power
/// loss (then it checks less), but never runs ahead.
class Mark {
 public:
  Result<void> open(const std::string& folder) {
    path_ = folder + "/ACKNOWLEDGED";
    file_ = Descriptor(::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (!file_.ok()) {
      return system_error(errno, "the store cannot be opened", path_);
    }
    return {};
  }
  /// 0 when nothing, or nothing whole, was written.
  [[nodiscard]] uint64_t read() const {
    Content content{};
    const ssize_t size = ::pread(file_.number(), content.data(), sizeof content, 0);
    return size == sizeof content && content[1] == ~content[0] ? content[0] : 0;
  }
  Result<void> write(uint64_t number) {
    const Content content{number, ~number};
    if (::pwrite(file_.number(), content.data(), sizeof content, 0) != sizeof content) {
      return system_error(errno, "the store cannot be written", path_);
    }
    return {};
  }

 private:
  using Content = std::array<uint64_t, 2>;  // the number and its complement
  std::string path_;
  Descriptor file_;
};

/// What stands before the first '/' of each key, once.
std::set<std::string> prefixes_of(const std::vector<env::KeyValue::Change>& batch) {
  std::set<std::string> prefixes;
  for (const env::KeyValue::Change& change : batch) {
    prefixes.insert(change.key.substr(0, change.key.find('/')));
  }
  return prefixes;
}

}  // namespace

struct RocksKeyValue::Impl {
  Impl() = default;
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;
  Impl(Impl&&) = delete;
  Impl& operator=(Impl&&) = delete;
  ~Impl() { close(); }

  Result<void> open();
  void close();
  Result<void> check_mark();
  Result<void> reopen();
  [[nodiscard]] bool has_room() const;
  Result<std::vector<std::string>> logs() const;
  Result<void> sync_logs() const;
  Result<void> fill(std::vector<Change>& changes, rocksdb::WriteBatch& batch) const;
  template <class Write>
  Result<void> insist(const Write& write);
  Result<std::optional<Bytes>> read(const std::string& key, const rocksdb::Snapshot* at) const;
  Result<void> check_open() const;

  RocksOptions options;
  std::string folder;
  std::mutex writing;                   // taken first
  std::shared_mutex doors;              // shared: `db` stays; alone: it is opened or closed
  std::unique_ptr<rocksdb::DB> db;      // none while a disk is too full to open it again
  ColumnFamilyHandle* small = nullptr;  // key: value or tag
  ColumnFamilyHandle* large = nullptr;  // key: value
  Mark mark;
  Status failure;  // of the last write, until the store was opened again
  bool unsynced = false;
};

Result<void> RocksKeyValue::Impl::open() {
  const std::vector<rocksdb::ColumnFamilyDescriptor> families = {
      {rocksdb::kDefaultColumnFamilyName, family_options(options, false)},
      {large_name, family_options(options, true)}};
  std::vector<ColumnFamilyHandle*> handles;
  rocksdb::DB* opened = nullptr;
  const Status status =
      rocksdb::DB::Open(store_options(options), folder, families, &handles, &opened);
  if (!status.ok()) {
    return error_of(status, folder);
  }
  db.reset(opened);
  small = handles[0];
  large = handles[1];
  return check_mark();
}

void RocksKeyValue::Impl::close() {
  if (db != nullptr) {
    (void)db->DestroyColumnFamilyHandle(small);
    (void)db->DestroyColumnFamilyHandle(large);
    (void)db->Close();
    db.reset();
  }
}

Result<void> RocksKeyValue::Impl::check_open() const {
  return db != nullptr ? Result<void>() : Result<void>(error_of(Status::NoSpace(), folder));
}

/// Opening reads the logs and puts all that is in them into sorted files, durably.
Result<void> RocksKeyValue::Impl::reopen() {
  const std::lock_guard alone(doors);
  close();
  const Result<void> opened = open();
  if (!opened.ok()) {
    close();
  }
  return opened;
}

Result<void> RocksKeyValue::Impl::check_mark() {
  TRY(mark.open(folder));
  if (db->GetLatestSequenceNumber() < mark.read()) {
    return refuse(Code::io_failed,
                  "the store has lost changes that were acknowledged (its log is damaged)",
                  "check the disk; put a copy of this folder back, or start a new node",
                  folder);
  }
  return {};
}

/// Moves the values out of `changes`.
Result<void> RocksKeyValue::Impl::fill(std::vector<Change>& changes,
                                       rocksdb::WriteBatch& batch) const {
  std::set<std::string> in_large;  // written there by this batch itself
  for (Change& change : changes) {
    const std::string& key = change.key;
    const bool goes_large = change.value.has_value() && change.value->size() >= large_bytes_min;
    if (goes_large) {
      if (change.value->size() > options.value_bytes_max) {
        return refuse(Code::too_large,
                      "a value has " + std::to_string(change.value->size()) + " bytes, and " +
                          std::to_string(options.value_bytes_max) + " are allowed",
                      {},
                      key);
      }
      in_large.insert(key);
      batch.Put(large, key, slice_of(*change.value));
      batch.Put(small, key, Slice(reinterpret_cast<const char*>(&tag_large), 1));
      change.value = Bytes();
      continue;
    }
    std::string unused;
    if (in_large.contains(key) ||
        db->KeyMayExist(rocksdb::ReadOptions(), large, Slice(key), &unused)) {
      batch.Delete(large, key);
    }
    if (change.value.has_value()) {
      change.value->push_back(tag_here);
      batch.Put(small, key, slice_of(*change.value));
    } else {
      batch.Delete(small, key);
    }
  }
  return {};
}

/// A store that failed once is not written to until it is opened again (Debian's build aborts in a
/// log that failed before): so a full disk that has room again is noticed here. The caller has
/// `writing`.
template <class Write>
Result<void> RocksKeyValue::Impl::insist(const Write& write) {
  if (failure.ok()) {
    failure = write();
  }
  if (!failure.ok() && (!failure.IsNoSpace() || has_room())) {
    TRY(reopen());
    failure = write();
  }
  if (!failure.ok()) {
    return error_of(failure, folder);
  }
  return {};
}

/// Makes everything that was applied durable without the store, which has failed: it is in the
/// logs, or was put into sorted files durably before its log was deleted.
Result<void> RocksKeyValue::Impl::sync_logs() const {
  for (const std::string& path : TRY(logs())) {
    const Descriptor log(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!log.ok() && errno == ENOENT) {
      continue;
    }
    if (!log.ok() || ::fsync(log.number()) != 0) {
      return system_error(errno, "the store cannot be made durable", path);
    }
  }
  return {};
}

Result<std::vector<std::string>> RocksKeyValue::Impl::logs() const {
  std::vector<std::string> found;
  std::error_code failed;
  for (std::filesystem::directory_iterator at(folder, failed), end; !failed && at != end;
       at.increment(failed)) {
    if (at->path().extension() == ".log") {
      found.push_back(at->path().string());
    }
  }
  if (failed) {
    return system_error(failed.value(), "the store cannot be read", folder);
  }
  return found;
}

/// Whether the disk could take what the logs hold once more.
bool RocksKeyValue::Impl::has_room() const {
  struct statvfs disk = {};
  if (::statvfs(folder.c_str(), &disk) != 0) {
    return true;
  }
  const auto paths = logs();
  if (!paths.ok()) {
    return true;  // opening says what is wrong
  }
  uint64_t needed = reopen_bytes_min;
  for (const std::string& path : *paths) {
    struct stat found = {};
    needed += ::stat(path.c_str(), &found) == 0 ? static_cast<uint64_t>(found.st_size) : 0;
  }
  return static_cast<uint64_t>(disk.f_bavail) * disk.f_frsize >= needed;
}

Result<std::optional<Bytes>> RocksKeyValue::Impl::read(const std::string& key,
                                                       const rocksdb::Snapshot* at) const {
  rocksdb::ReadOptions options_read;
  options_read.snapshot = at;
  rocksdb::PinnableSlice found;
  Status status = db->Get(options_read, small, key, &found);
  if (status.IsNotFound()) {
    return std::optional<Bytes>();
  }
  if (status.ok() && found.empty()) {
    status = Status::Corruption("a value without its tag");
  }
  size_t size = status.ok() ? found.size() - 1 : 0;
  if (status.ok() && static_cast<uint8_t>(found[size]) == tag_large) {
    found.Reset();
    status = db->Get(options_read, large, key, &found);
    size = found.size();
  }
  if (status.IsNotFound()) {
    return refuse(Code::io_failed, "a large value is missing", "check the disk", folder);
  }
  if (!status.ok()) {
    return error_of(status, folder);
  }
  const auto* const data = reinterpret_cast<const uint8_t*>(found.data());
  return std::optional<Bytes>(Bytes(data, data + size));
}

RocksKeyValue::RocksKeyValue(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
RocksKeyValue::~RocksKeyValue() = default;

Result<std::unique_ptr<RocksKeyValue>> RocksKeyValue::open(const std::string& folder,
                                                           const RocksOptions& options) {
  if (::mkdir(folder.c_str(), 0700) != 0 && errno != EEXIST) {
    return system_error(errno, "the store's folder cannot be made", folder);
  }
  auto impl = std::make_unique<Impl>();
  impl->options = options;
  impl->folder = folder;
  TRY(impl->open());
  return std::unique_ptr<RocksKeyValue>(new RocksKeyValue(std::move(impl)));
}

Result<std::optional<Bytes>> RocksKeyValue::get(const std::string& key) {
  const std::shared_lock inside(impl_->doors);
  TRY(impl_->check_open());
  Result<std::optional<Bytes>> value = impl_->read(key, nullptr);
  if (value.ok()) {
    return value;
  }
  // Another thread may have replaced the value between the two reads: once more, at one instant.
  rocksdb::ManagedSnapshot now(impl_->db.get());
  return impl_->read(key, now.snapshot());
}

Result<void> RocksKeyValue::apply(std::vector<Change> batch) {
  const std::set<std::string> points =
      KillPoints::on() ? prefixes_of(batch) : std::set<std::string>();
  for (const std::string& point : points) {
    kill_point("store.before:", point);
  }
  {
    const std::lock_guard lock(impl_->writing);
    rocksdb::WriteOptions how;
    how.sync = impl_->options.sync_each;
    if (impl_->db == nullptr) {
      TRY(impl_->insist([] { return Status::OK(); }));  // what to write is looked up in it
    }
    rocksdb::WriteBatch writes;
    TRY(impl_->fill(batch, writes));
    // A batch names its families by number: those outlive the store's being opened again.
    TRY(impl_->insist([&] { return impl_->db->Write(how, &writes); }));
    impl_->unsynced = true;
    if (how.sync) {
      impl_->unsynced = false;
      TRY(impl_->mark.write(impl_->db->GetLatestSequenceNumber()));
    }
  }
  for (const std::string& point : points) {
    kill_point("store.after:", point);
  }
  return {};
}

Result<void> RocksKeyValue::sync() {
  const std::lock_guard lock(impl_->writing);
  if (!impl_->unsynced) {
    return {};
  }
  kill_point("sync.before");
  // When a sync has failed, only the sorted files that opening makes are known to be on disk.
  if (!impl_->failure.ok() && !impl_->has_room()) {
    TRY(impl_->sync_logs());
  } else {
    TRY(impl_->insist([this] { return impl_->db->SyncWAL(); }));
    TRY(impl_->mark.write(impl_->db->GetLatestSequenceNumber()));
  }
  impl_->unsynced = false;
  kill_point("sync.after");
  return {};
}

Result<std::vector<std::string>> RocksKeyValue::keys(const std::string& prefix,
                                                     const std::string& after,
                                                     size_t count_max) {
  const std::shared_lock inside(impl_->doors);
  TRY(impl_->check_open());
  const std::unique_ptr<rocksdb::Iterator> at(
      impl_->db->NewIterator(rocksdb::ReadOptions(), impl_->small));
  std::vector<std::string> found;
  at->Seek(std::max(prefix, after));
  if (after >= prefix && at->Valid() && at->key() == Slice(after)) {
    at->Next();
  }
  for (; at->Valid() && at->key().starts_with(prefix) && found.size() < count_max; at->Next()) {
    found.push_back(at->key().ToString());
  }
  if (!at->status().ok()) {
    return error_of(at->status(), impl_->folder);
  }
  return found;
}

Result<void> RocksKeyValue::compact() {
  rocksdb::CompactRangeOptions all;
  all.blob_garbage_collection_policy = rocksdb::BlobGarbageCollectionPolicy::kForce;
  all.blob_garbage_collection_age_cutoff = 1.0;
  const std::lock_guard lock(impl_->writing);
  return impl_->insist([&] {
    for (ColumnFamilyHandle* const family : {impl_->small, impl_->large}) {
      Status status = impl_->db->Flush(rocksdb::FlushOptions(), family);
      status = status.ok() ? impl_->db->CompactRange(all, family, nullptr, nullptr) : status;
      if (!status.ok()) {
        return status;
      }
    }
    return Status::OK();
  });
}

}  // namespace lockstep::platform
