#include "apps/recorder.h"

#include <charconv>
#include <cstdio>
#include <filesystem>

#include "platform/files.h"
#include "platform/private_files.h"

namespace lockstep::apps {
namespace {

namespace fs = std::filesystem;
using sim::RecordedEntry;

constexpr const char* ending = ".life";

std::string record_of(const std::string& folder) {
  return folder + "/record";
}

std::string life_in(const std::string& folder, uint64_t life) {
  return record_of(folder) + "/" + std::to_string(life) + ending;
}

Bytes bytes_of(const std::string& text) {
  return {text.begin(), text.end()};
}

}  // namespace

/// Counts the node's calls and writes down those that fail.
class Recorder::NodeStore final : public env::KeyValue {
 public:
  explicit NodeStore(Recorder& recorder) : recorder_(&recorder), below_(recorder.store_) {}
  Result<std::optional<Bytes>> get(const std::string& key) override {
    return counted(below_->get(key));
  }
  Result<void> apply(std::vector<Change> batch) override {
    return counted(below_->apply(std::move(batch)));
  }
  Result<void> sync() override { return below_->sync(); }
  Result<std::vector<std::string>> keys(const std::string& prefix,
                                        const std::string& after,
                                        size_t count_max) override {
    return counted(below_->keys(prefix, after, count_max));
  }

 private:
  template <class T>
  Result<T> counted(Result<T> result) {
    if (recorder_->inside_) {
      if (!result.ok()) {
        recorder_->add(sim::StoreFailed{recorder_->call_, sim::recorded(result.error())});
      }
      ++recorder_->call_;
    }
    return result;
  }
  Recorder* recorder_;
  env::KeyValue* below_;
};

/// Writes between two inputs, never beside one.
class Recorder::WorkerStore final : public env::KeyValue {
 public:
  explicit WorkerStore(Recorder& recorder) : recorder_(&recorder), below_(recorder.store_) {}
  Result<std::optional<Bytes>> get(const std::string& key) override { return below_->get(key); }
  Result<void> apply(std::vector<Change> batch) override {
    const std::lock_guard lock(recorder_->mutex_);
    sim::WorkerWrites writes;
    writes.values.reserve(batch.size());
    for (const Change& change : batch) {
      const bool is_blob = sim::blob_of(change.key).has_value();
      writes.values.push_back(
          {bytes_of(change.key), is_blob ? Bytes() : change.value.value_or(Bytes())});
    }
    recorder_->add(writes);
    recorder_->flush_or_stop();
    auto applied = below_->apply(std::move(batch));
    if (!applied.ok()) {
      recorder_->add(sim::WorkerFailed{});
    }
    return applied;
  }
  Result<void> sync() override { return below_->sync(); }
  Result<std::vector<std::string>> keys(const std::string& prefix,
                                        const std::string& after,
                                        size_t count_max) override {
    return below_->keys(prefix, after, count_max);
  }

 private:
  Recorder* recorder_;
  env::KeyValue* below_;
};

bool Recorder::is_on(const std::string& folder) {
  std::error_code error;
  return fs::exists(record_of(folder), error);
}

Result<void> Recorder::switch_on(const std::string& folder) {
  return platform::make_private_folder(record_of(folder));
}

Recorder::Recorder(env::KeyValue& store)
    : store_(&store),
      node_store_(std::make_unique<NodeStore>(*this)),
      worker_store_(std::make_unique<WorkerStore>(*this)) {}

Recorder::~Recorder() {
  if (file_ != nullptr) {
    flush_or_stop();
  }
  if (file_ != nullptr) {
    (void)std::fclose(file_);
  }
}

env::KeyValue& Recorder::node_store() {
  return *node_store_;
}
env::KeyValue& Recorder::worker_store() {
  return *worker_store_;
}

Result<std::unique_ptr<Recorder>> Recorder::begin(const std::string& folder,
                                                  const std::string& setup,
                                                  env::KeyValue& store) {
  auto recorder = std::unique_ptr<Recorder>(new Recorder(store));
  TRY(recorder->open(folder, setup));
  return recorder;
}

/// The file has its name only once its first entries are whole.
Result<void> Recorder::open(const std::string& folder, const std::string& setup) {
  TRY(platform::make_private_folder(record_of(folder)));
  const uint64_t life = TRY(recorded_lives(folder)).size() + 1;
  const std::string path = life_in(folder, life);
  const std::string part = path + ".part";
  file_ = std::fopen(part.c_str(), "we");
  if (file_ == nullptr) {
    return refuse(Code::io_failed, "the record cannot be written", "check the disk", part);
  }
  pending_.assign(sim::record_magic.begin(), sim::record_magic.end());
  sim::Born born;
  born.life = life;
  born.has_snapshot = life == 1;
  born.store = TRY(sim::store_digest(*store_));
  born.setup = bytes_of(setup);
  add(born);
  if (born.has_snapshot) {
    for (const sim::Kept& kept : TRY(sim::store_snapshot(*store_))) {
      add(kept);
      TRY(flush());
    }
  }
  TRY(flush());
  if (std::rename(part.c_str(), path.c_str()) != 0) {
    return refuse(Code::io_failed, "the record cannot be named", "check the disk", path);
  }
  return {};
}

void Recorder::before_input(const RecordedEntry& input) {
  add(input);
  flush_or_stop();
  inside_ = true;
  call_ = 0;
}

void Recorder::effects(const node::Effects& effects) {
  sim::EffectsLeft left;
  left.effects.reserve(effects.size());
  for (const node::Effect& effect : effects) {
    left.effects.push_back(sim::mark_of(effect));
  }
  if (!left.effects.empty()) {
    add(left);
  }
}

void Recorder::end() {
  const std::lock_guard lock(mutex_);
  add(sim::Ended{});
  flush_or_stop();
}

void Recorder::add(const RecordedEntry& entry) {
  if (file_ != nullptr) {
    const Bytes bytes = sim::framed(entry);
    pending_.insert(pending_.end(), bytes.begin(), bytes.end());
  }
}

Result<void> Recorder::flush() {
  if (file_ == nullptr || pending_.empty()) {
    return {};
  }
  const size_t written = std::fwrite(pending_.data(), 1, pending_.size(), file_);
  if (written != pending_.size() || std::fflush(file_) != 0) {
    return refuse(Code::io_failed, "the record cannot be written", "check the disk");
  }
  pending_.clear();
  return {};
}

void Recorder::flush_or_stop() {
  const auto flushed = flush();
  if (!flushed.ok()) {
    (void)std::fprintf(stderr, "record: it ends here: %s\n", flushed.error().message().c_str());
    (void)std::fclose(file_);
    file_ = nullptr;
  }
}

// ---- the node in it

template <class Call>
void RecordedNode::record(const RecordedEntry& input, const Call& call) {
  recorder_->around(input, [&] {
    call();
    node::Effects effects = inner_->take_effects();
    recorder_->effects(effects);
    std::move(effects.begin(), effects.end(), std::back_inserter(effects_));
  });
}

void RecordedNode::start(uint64_t now_ms) {
  record(sim::Started{now_ms}, [&] { inner_->start(now_ms); });
}

void RecordedNode::on_message(uint64_t now_ms,
                              const crypto::PublicKey& from,
                              const net::Message& message) {
  record(sim::MessageCame{now_ms, from, message},
         [&] { inner_->on_message(now_ms, from, message); });
}

void RecordedNode::on_timer(uint64_t now_ms, uint64_t id) {
  record(sim::TimerRang{now_ms, id}, [&] { inner_->on_timer(now_ms, id); });
}

void RecordedNode::on_work(uint64_t now_ms, node::WorkDone done) {
  sim::WorkCame came{now_ms, done.id, sim::result_hash(done), std::nullopt};
  if (!done.result.ok()) {
    came.error = sim::recorded(done.result.error());
  }
  record(came, [&] { inner_->on_work(now_ms, std::move(done)); });
}

void RecordedNode::on_signed(uint64_t now_ms, const model::Signed& transaction) {
  record(sim::SignedCame{now_ms, transaction}, [&] { inner_->on_signed(now_ms, transaction); });
}

void RecordedNode::on_providers(uint64_t now_ms, std::span<const crypto::PublicKey> providers) {
  record(sim::ProvidersCame{now_ms, {providers.begin(), providers.end()}},
         [&] { inner_->on_providers(now_ms, providers); });
}

void set_open(Recorder* recorder, uint64_t now_ms, node::Provider& provider, bool open) {
  if (recorder == nullptr) {
    provider.set_open(open);
  } else {
    recorder->around(sim::LendingChanged{now_ms, open}, [&] { provider.set_open(open); });
  }
}

Result<std::vector<std::string>> recorded_lives(const std::string& folder) {
  uint64_t count = 0;
  uint64_t last = 0;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(record_of(folder), error)) {
    const std::string name = entry.path().filename().string();
    uint64_t life = 0;
    const char* const end = name.data() + name.size();
    const auto [stop, failed] = std::from_chars(name.data(), end, life);
    if (failed == std::errc() && std::string(stop, end) == ending) {
      ++count;
      last = std::max(last, life);
    }
  }
  if (error || count != last) {
    return refuse(Code::bad_folder,
                  error ? "the record cannot be read" : "a life is missing from the record",
                  "only a whole record can be replayed",
                  record_of(folder));
  }
  std::vector<std::string> files;
  files.reserve(count);
  for (uint64_t life = 1; life <= count; ++life) {
    files.push_back(life_in(folder, life));
  }
  return files;
}

}  // namespace lockstep::apps
