// What every node's process is made of, whatever its role: folder, keys, store, loop, links.
#pragma once

#include "apps/host.h"
#include "apps/node_file.h"
#include "apps/node_observer.h"
#include "apps/recorder.h"
#include "apps/told_store.h"
#include "platform/data_dir.h"
#include "platform/files.h"
#include "platform/rocks.h"
#include "platform/tcp_network.h"
#include "store/blobs.h"

namespace lockstep::apps {

/// Lives where it was made. Everything but the node, which the role brings.
class NodeMachine {
 public:
  /// Holds the folder and listens where the file says. Where Recorder::is_on(), all that the node
  /// does is written down. Errors: in_use, bad_folder, bad_key_file,
  /// not_permitted, disk_full, io_failed.
  static Result<std::unique_ptr<NodeMachine>> open(const std::string& folder,
                                                   const ObserveOptions& observe = {});

  [[nodiscard]] const NodeFile& file() const { return file_; }
  [[nodiscard]] const std::string& folder() const { return folder_.path(); }
  [[nodiscard]] node::Identity identity() const { return {key_, file_.owner}; }
  [[nodiscard]] const crypto::SecretKey& key() const { return key_; }
  [[nodiscard]] platform::Loop& loop() { return loop_; }
  [[nodiscard]] env::KeyValue& store() {
    return recorder_ ? recorder_->node_store() : static_cast<env::KeyValue&>(*store_);
  }
  /// None: nothing is written down.
  [[nodiscard]] Recorder* recorder() { return recorder_.get(); }
  [[nodiscard]] store::Blobs& blobs() { return *blobs_; }
  [[nodiscard]] net::Links& links() { return *links_; }
  [[nodiscard]] Host& host() { return *host_; }
  [[nodiscard]] Worker* worker() { return worker_.get(); }
  [[nodiscard]] const std::optional<env::Address>& address() const { return address_; }
  /// Who else sees what the node does; before run(), and lives longer than this.
  void add_watch(HostWatch& watch) { watches_.push_back(&watch); }

  /// Runs the node until the loop stops. `state` is the node's view of the ledger: those whom it
  /// has registered are no strangers. Errors: those of the engine's options; io_failed.
  Result<void> run(node::Node& node,
                   std::function<const ledger::State&()> state,
                   HostCallbacks callbacks);

 private:
  NodeMachine(platform::DataDir folder, NodeFile file, const crypto::SecretKey& key)
      : folder_(std::move(folder)), file_(std::move(file)), key_(key) {}
  Result<void> open_network();
  Result<void> start_worker();
  Result<void> say_ready();

  /// What the network calls: the links, which are made once it is known where the node listens.
  /// The observer hears first, and of all.
  struct Door final : public env::Network::Handler {
    net::Links* links = nullptr;
    NodeObserver* observer = nullptr;
    void on_open(env::Link link, const env::NodeId& peer, bool dialed) override {
      observer->on_open(link, peer, dialed);
      links->on_open(link, peer, dialed);
    }
    void on_bytes(env::Link link, ByteView bytes) override {
      observer->on_bytes(bytes.size());
      links->on_bytes(link, bytes);
    }
    void on_drained(env::Link link) override { links->on_drained(link); }
    void on_closed(env::Link link, const Error& why) override {
      observer->on_closed(link, why);
      links->on_closed(link, why);
    }
  };

  platform::DataDir folder_;
  NodeFile file_;
  crypto::SecretKey key_;
  platform::Files files_;
  platform::Clock clock_;
  std::unique_ptr<platform::RocksKeyValue> rocks_;
  std::optional<ToldStore> store_;  // the same, for all that write
  std::function<void(const std::optional<Error>&)> on_store_;
  std::unique_ptr<Recorder> recorder_;
  std::optional<store::Blobs> blobs_, worker_blobs_;
  platform::Loop loop_;
  std::optional<NodeObserver> observer_;
  std::vector<HostWatch*> watches_;
  Door door_;
  std::optional<platform::TcpNetwork> network_;
  std::optional<net::Links> links_;
  std::optional<env::Address> address_;
  std::function<const ledger::State&()> state_;
  std::optional<RecordedNode> recorded_;
  std::optional<Host> host_;
  std::unique_ptr<Worker> worker_;  // before the host in destruction
};

}  // namespace lockstep::apps
