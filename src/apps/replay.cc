#include "apps/replay.h"

#include <cstdio>

#include "apps/job_input.h"
#include "apps/network_folder.h"
#include "apps/node_process.h"
#include "apps/recorder.h"
#include "apps/replay_life.h"
#include "apps/wallet_files.h"
#include "chain/sequencer.h"
#include "platform/data_dir.h"
#include "platform/files.h"
#include "platform/rocks.h"

namespace lockstep::apps {
namespace {

class FileSource final : public sim::ByteSource {
 public:
  explicit FileSource(const std::string& path) : file_(std::fopen(path.c_str(), "re")) {}
  ~FileSource() override {
    if (file_ != nullptr) {
      (void)std::fclose(file_);
    }
  }
  FileSource(const FileSource&) = delete;
  FileSource& operator=(const FileSource&) = delete;
  Result<Bytes> read(size_t count) override {
    Bytes bytes(count);
    const size_t got = file_ == nullptr ? 0 : std::fread(bytes.data(), 1, count, file_);
    if (file_ == nullptr || std::ferror(file_) != 0) {
      return refuse(Code::io_failed, "the record cannot be read");
    }
    bytes.resize(got);
    return bytes;
  }

 private:
  std::FILE* file_;
};

class Replay {
 public:
  Replay(const NetworkFolder& network, const Report& report) : network_(network), report_(report) {}

  /// False: something differs.
  Result<bool> all() {
    for (const Member& member : network_.file().members) {
      TRY(node(member.name, network_.member(member.name)));
    }
    for (const std::string& job : network_.job_names()) {
      TRY(node("job " + job, network_.job(job)));
    }
    if (nodes_ == 0) {
      return refuse(Code::file_not_found,
                    "nothing was recorded here",
                    "record with `lockstep up --record` and `lockstep run --record`",
                    network_.path());
    }
    if (const auto invented = messages_.invented()) {
      tell(*invented);
    }
    tell_root();
    return same_;
  }

 private:
  Result<void> node(const std::string& name, const std::string& folder) {
    if (!Recorder::is_on(folder)) {
      report_.tell(name + ": not recorded", "not_recorded", {{"name", name}});
      return {};
    }
    const platform::DataDir data = TRY(platform::DataDir::open(folder));
    const crypto::SecretKey key = TRY(load_plain_key(data.keys() + "/" + key_file_name));
    const auto real = TRY(platform::RocksKeyValue::open(data.db()));
    FolderNode maker(data.path(), key, *real);
    sim::RecordedRun run(name, key.public_key(), maker, messages_);
    ++nodes_;
    bool same = true;
    for (const std::string& file : TRY(recorded_lives(data.path()))) {
      FileSource source(file);
      same = same && TRY(run.live(source));
    }
    same = same && TRY(run.finish(TRY(sim::store_digest(*real))));
    const bool is_ledger = name == ledger_name();
    same = is_ledger ? TRY(ledger(key, *real, run)) && same : same;
    if (run.difference()) {
      tell(*run.difference());
    }
    if (same) {
      tell(name, run.counts());
    }
    return {};
  }

  [[nodiscard]] std::string ledger_name() const {
    for (const Member& member : network_.file().members) {
      if (member.role == NodeRole::ledger) {
        return member.name;
      }
    }
    return {};
  }

  /// The replayed ledger, block by block, beside the real one.
  Result<bool> ledger(const crypto::SecretKey& key, env::KeyValue& real, sim::RecordedRun& run) {
    const auto open = [&](env::KeyValue& log) {
      return chain::Sequencer::create(
          network_.file().genesis, key, node_secret(key, "preimages"), log);
    };
    auto expected = TRY(open(real));
    auto got = TRY(open(run.store()));
    const uint64_t height = std::min(expected.height(), got.height());
    for (uint64_t at = 1; at <= height; ++at) {
      if (codec::encode(TRY(expected.blocks(at, 1))) != codec::encode(TRY(got.blocks(at, 1)))) {
        return block_differs("block " + std::to_string(at) + " is another one");
      }
    }
    if (expected.height() != got.height()) {
      return block_differs("the real ledger has " + std::to_string(expected.height()) +
                           " blocks, the replayed one " + std::to_string(got.height()));
    }
    root_ = got.ledger().state_root();
    blocks_ = height;
    return expected.ledger().state_root() == *root_
               ? Result<bool>(true)
               : block_differs("the same blocks led to another state root");
  }
  Result<bool> block_differs(const std::string& text) {
    same_ = false;
    report_.tell("ledger: " + text, "block_differs", {{"what", text}});
    return false;
  }

  void tell(const std::string& name, const sim::RecordedRun::Counts& counts) const {
    report_.tell(name + ": as recorded; " + std::to_string(counts.lives) +
                     (counts.lives == 1 ? " life" : " lives") +
                     (counts.cut_lives > 0 ? " (" + std::to_string(counts.cut_lives) + " cut off)"
                                           : std::string()) +
                     ", " + std::to_string(counts.inputs) + " inputs, " +
                     std::to_string(counts.effects) + " effects, " + std::to_string(counts.tasks) +
                     " tasks computed again",
                 "replayed",
                 {{"name", name},
                  {"lives", counts.lives},
                  {"cut_lives", counts.cut_lives},
                  {"inputs", counts.inputs},
                  {"effects", counts.effects},
                  {"tasks", counts.tasks}});
  }
  void tell(const sim::Difference& difference) {
    same_ = false;
    report_.tell("differs: " + difference.text(),
                 "differs",
                 {{"name", difference.node},
                  {"life", difference.life},
                  {"input", difference.input},
                  {"time_ms", difference.time_ms},
                  {"kind", difference.kind},
                  {"expected", difference.expected},
                  {"got", difference.got}});
  }
  void tell_root() const {
    if (root_) {
      const std::string root = to_hex(root_->view());
      report_.tell(
          "state root: " + root + ", as recorded, after " + std::to_string(blocks_) + " blocks",
          "state_root",
          {{"root", root}, {"blocks", blocks_}});
    }
  }

  const NetworkFolder& network_;
  const Report& report_;
  sim::MessageBook messages_;
  std::optional<Hash> root_;
  uint64_t blocks_ = 0;
  uint64_t nodes_ = 0;
  bool same_ = true;
};

}  // namespace

Exit replay_recorded(const std::string& network_folder, bool json) {
  const Report report(json);
  const auto network = NetworkFolder::open(network_folder);
  if (!network.ok()) {
    return report.fail(network.error());
  }
  crypto::VerifyMemo memo;
  const auto same = Replay(*network, report).all();
  if (!same.ok()) {
    return report.fail(same.error());
  }
  return *same ? Exit::ok : Exit::verification_failed;
}

}  // namespace lockstep::apps
