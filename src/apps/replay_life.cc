#include "apps/replay_life.h"

#include "apps/job_end.h"
#include "apps/job_input.h"
#include "apps/network_folder.h"
#include "apps/node_process.h"
#include "apps/requester_process.h"
#include "exec/memory_need.h"
#include "exec/tensor_runner.h"
#include "law/roots.h"
#include "node/auditor.h"
#include "node/requester.h"
#include "node/sequencer_node.h"
#include "node/work.h"
#include "platform/files.h"
#include "sim/cheat.h"

namespace lockstep::apps {
namespace {

constexpr size_t job_bytes_max = size_t{256} << 20;

/// A file that is in memory.
class OneFile final : public env::Files {
 public:
  explicit OneFile(ByteView bytes) : bytes_(bytes.begin(), bytes.end()) {}
  Result<Bytes> read(const std::string& /*path*/, size_t /*bytes_max*/) override { return bytes_; }
  Result<void> write(const std::string& path, ByteView /*bytes*/) override {
    return refuse(Code::not_permitted, "this file is only read", {}, path);
  }

 private:
  Bytes bytes_;
};

/// What node_machine.cc and node_process.cc put together, without the world outside.
class FolderLife final : public sim::ReplayedLife {
 public:
  FolderLife(NodeFile file, env::KeyValue& store, env::KeyValue& worker_store)
      : file_(std::move(file)),
        store_(&store),
        blobs_(store,
               law::data_mode(),
               file_.slice ? file_.slice->disk_bytes : store::Blobs::unlimited),
        worker_blobs_(worker_store, law::data_mode()) {}

  Result<void> make(const std::string& folder, const crypto::SecretKey& key) {
    runner_.emplace(
        worker_blobs_, clock_, tensor::Options{file_.threads, TRY(choose_isa()), false});
    if (file_.cheat) {
      const auto kind = sim::cheat_named(*file_.cheat);
      if (!kind) {
        return refuse(Code::bad_folder, "\"" + *file_.cheat + "\" is no way to cheat", {}, "cheat");
      }
      cheat_.emplace(*kind, std::vector<std::string>());
    }
    return make_node(folder, key);
  }
  node::Node& node() override { return *node_; }
  node::WorkDone run(const node::RunTask& work) override {
    node::WorkDone done = node::do_work(*runner_, work);
    if (cheat_) {
      const auto lied = cheat_->alter(work, done, worker_blobs_);
      if (!lied.ok()) {
        done.result = lied.error();
      }
    }
    return done;
  }

 private:
  Result<void> make_node(const std::string& folder, const crypto::SecretKey& key) {
    const node::Identity identity{key, file_.owner};
    switch (file_.role) {
      case NodeRole::ledger:
        node_ = std::make_unique<node::SequencerNode>(TRY(
            chain::Sequencer::create(file_.genesis, key, node_secret(key, "preimages"), *store_)));
        return {};
      case NodeRole::provider:
        return make_provider(identity);
      case NodeRole::auditor:
        node_ = TRY(node::Auditor::create(
            {file_.genesis, identity, node_secret(key, "salts")}, blobs_, store_));
        return {};
      case NodeRole::requester:
        return make_requester(folder, identity);
    }
    return refuse(Code::internal, "an unknown role");
  }
  Result<void> make_provider(const node::Identity& identity) {
    if (!file_.machine) {
      return refuse(Code::bad_folder, "a provider needs a machine to offer", {}, node_file_name);
    }
    node_ = TRY(node::Provider::create(
        {file_.genesis,
         identity,
         *file_.machine,
         node_secret(identity.key, "salts"),
         file_.slice,
         [](const law::Program& program, uint32_t steps) -> Result<uint64_t> {
           return exec::memory_need(program, steps).most();
         }},
        blobs_,
        *store_));
    return {};
  }
  Result<void> make_requester(const std::string& folder, const node::Identity& identity) {
    platform::Files files;
    job_ = TRY(
        codec::decode<model::Job>(TRY(files.read(folder + "/" + job_file_name, job_bytes_max))));
    node_ = TRY(node::Requester::create({file_.genesis,
                                         identity,
                                         TRY(memory_of(job_)),
                                         node_secret(identity.key, "requester"),
                                         file_.dry_run},
                                        job_,
                                        blobs_,
                                        *store_));
    return {};
  }

  NodeFile file_;
  env::KeyValue* store_;
  store::Blobs blobs_, worker_blobs_;
  platform::Clock clock_;  // of the engine's meter
  model::Job job_;
  std::optional<exec::TensorRunner> runner_;
  std::optional<sim::Cheat> cheat_;
  std::unique_ptr<node::Node> node_;
};

}  // namespace

Result<std::unique_ptr<sim::ReplayedLife>> FolderNode::live(ByteView setup,
                                                            env::KeyValue& store,
                                                            env::KeyValue& worker_store) {
  OneFile file(setup);
  auto life =
      std::make_unique<FolderLife>(TRY(read_node_file(file, node_file_name)), store, worker_store);
  TRY(life->make(folder_, key_));
  return std::unique_ptr<sim::ReplayedLife>(std::move(life));
}

Result<Bytes> FolderNode::blob(const Hash& address) {
  const std::string key = "blob/" + std::string(address.bytes.begin(), address.bytes.end());
  auto bytes = TRY(real_->get(key));
  if (!bytes) {
    return refuse(Code::blob_missing,
                  "a blob that was there before the record began is gone",
                  {},
                  to_hex(address.view()));
  }
  return std::move(*bytes);
}

}  // namespace lockstep::apps
