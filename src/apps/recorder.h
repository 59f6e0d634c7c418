// Writes down everything that goes into a node and marks of all that comes out, so that the same
// can be done again (sim/recorded_run.h). One file a life: FOLDER/record/N.life.
#pragma once

#include <mutex>

#include "node/provider.h"
#include "sim/recorded_entry.h"

namespace lockstep::apps {

/// Nothing happens to the node or its store that is not written before it: a process that is killed
/// leaves a record in which at most the effects of the last input are missing, or a torn entry that
/// was not acted upon. After a loss of power the record may end before the store does. A record
/// that cannot be written any more ends, and the node goes on.
class Recorder {
 public:
  /// Whether this node was recorded before: then it is to be recorded for ever, as a record with a
  /// gap is worth nothing.
  [[nodiscard]] static bool is_on(const std::string& folder);
  /// From the next life on.
  static Result<void> switch_on(const std::string& folder);
  /// Begins the next life's file. Borrows the store, which nobody else uses meanwhile. Errors:
  /// io_failed, disk_full.
  static Result<std::unique_ptr<Recorder>> begin(const std::string& folder,
                                                 const std::string& setup,
                                                 env::KeyValue& store);
  ~Recorder();
  Recorder(const Recorder&) = delete;
  Recorder& operator=(const Recorder&) = delete;

  /// The store for the node, on its thread, and for its worker, on another.
  [[nodiscard]] env::KeyValue& node_store();
  [[nodiscard]] env::KeyValue& worker_store();
  /// Writes the input down, then calls the node; the worker waits meanwhile with what it writes.
  template <class Call>
  void around(const sim::RecordedEntry& input, const Call& call) {
    const std::lock_guard lock(mutex_);
    before_input(input);
    call();
    inside_ = false;
  }
  /// Within around(): what came out.
  void effects(const node::Effects& effects);
  /// The process ends by itself.
  void end();

 private:
  class NodeStore;
  class WorkerStore;
  explicit Recorder(env::KeyValue& store);
  Result<void> open(const std::string& folder, const std::string& setup);
  void before_input(const sim::RecordedEntry& input);
  void add(const sim::RecordedEntry& entry);
  Result<void> flush();
  void flush_or_stop();

  env::KeyValue* store_;
  std::unique_ptr<NodeStore> node_store_;
  std::unique_ptr<WorkerStore> worker_store_;
  std::mutex mutex_;
  std::FILE* file_ = nullptr;
  Bytes pending_;
  bool inside_ = true;  // an input, or the making of the node
  uint64_t call_ = 0;   // to the store, within it
};

/// The node in it, recorded.
class RecordedNode final : public node::Node {
 public:
  /// Borrows both.
  RecordedNode(node::Node& inner, Recorder& recorder) : inner_(&inner), recorder_(&recorder) {}
  void start(uint64_t now_ms) override;
  void on_message(uint64_t now_ms,
                  const crypto::PublicKey& from,
                  const net::Message& message) override;
  void on_timer(uint64_t now_ms, uint64_t id) override;
  void on_work(uint64_t now_ms, node::WorkDone done) override;
  void on_signed(uint64_t now_ms, const model::Signed& transaction) override;
  void on_providers(uint64_t now_ms, std::span<const crypto::PublicKey> providers) override;

 private:
  template <class Call>
  void record(const sim::RecordedEntry& input, const Call& call);
  node::Node* inner_;
  Recorder* recorder_;
};

/// provider.set_open(), recorded where there is a recorder.
void set_open(Recorder* recorder, uint64_t now_ms, node::Provider& provider, bool open);

/// The files of a node's lives, in order. Errors: bad_folder where one is missing.
[[nodiscard]] Result<std::vector<std::string>> recorded_lives(const std::string& folder);

}  // namespace lockstep::apps
