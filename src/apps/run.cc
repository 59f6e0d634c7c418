#include "apps/run.h"

#include <csignal>
#include <filesystem>
#include <iostream>

#include "apps/job_end.h"
#include "apps/job_follower.h"
#include "apps/job_input.h"
#include "apps/node_process.h"
#include "apps/requester_process.h"
#include "apps/visit.h"
#include "apps/wallet_files.h"
#include "base/limits.h"
#include "law/roots.h"
#include "platform/data_dir.h"
#include "platform/files.h"
#include "platform/rocks.h"
#include "platform/terminal.h"
#include "prepare/prepare.h"

namespace lockstep::apps {
namespace {

namespace fs = std::filesystem;

constexpr const char* owner_name = "you";
constexpr uint32_t jobs_max = 100'000;

volatile std::sig_atomic_t interrupted = 0;

/// The first Ctrl-C is ours; a second one ends the command as always.
void on_interrupt(int signal) {
  interrupted = 1;
  (void)std::signal(signal, SIG_DFL);
}

/// A folder for the next job of this name.
Result<std::string> new_job_name(const NetworkFolder& network, const std::string& name) {
  for (uint32_t number = 1; number < jobs_max; ++number) {
    const std::string job = name + "-" + std::to_string(number);
    std::error_code error;
    if (!fs::exists(network.job(job), error)) {
      return job;
    }
  }
  return refuse(Code::too_large, "there are too many jobs of this name", {}, network.jobs());
}

class Run {
 public:
  Run(const RunOptions& options, const NetworkFolder& network, const Report& report)
      : options_(options), network_(network), report_(report) {}

  /// Gives the job's name.
  Result<std::string> start() {
    const model::JobSpec spec = TRY(read_job(files_, options_.job_path));
    const crypto::SecretKey owner = TRY(load_plain_key(network_.wallet_of(owner_name)));
    auto visit = TRY(Visit::begin(network_.file().genesis, network_.file().ledger));
    const std::string name = TRY(new_job_name(network_, spec.name));
    const std::string folder = network_.job(name);
    const crypto::SecretKey key = TRY(make_node_folder(folder));
    TRY(prepare_in(folder, spec));
    if (!options_.dry_run) {
      const model::NodeConsent consent{owner.public_key(), model::Role::requester};
      (void)TRY(visit->submit(owner, model::register_node(visit->state().network, key, consent)));
    }
    TRY(write_node_json(folder, node_file(name, owner.public_key(), key.public_key())));
    (void)TRY(network_.start(folder));
    return name;
  }

 private:
  Result<void> prepare_in(const std::string& folder, const model::JobSpec& spec) {
    auto store = TRY(platform::RocksKeyValue::open(folder + "/db"));
    store::Blobs blobs(*store, law::data_mode());
    const std::string where = folder_of(options_.job_path);
    const auto prepared = TRY(prepare::prepare(spec, where, files_, blobs));
    (void)TRY(tell_plan(report_, prepared.job));
    TRY(store->sync());
    TRY(files_.write(folder + "/" + job_file_name, codec::encode(prepared.job)));
    const std::string model = prepare::resolve(where, spec.model);
    TRY(files_.write(folder + "/" + model_file_name,
                     TRY(files_.read(model, limits::onnx_bytes_max))));
    return {};
  }

  [[nodiscard]] NodeFile node_file(const std::string& name,
                                   const crypto::PublicKey& owner,
                                   const crypto::PublicKey& key) const {
    NodeFile file;
    file.name = name;
    file.role = NodeRole::requester;
    file.genesis = network_.file().genesis;
    file.ledger = network_.file().ledger;
    file.owner = owner;
    file.listen = env::Address{file.ledger.address.host, 0};
    file.threads = options_.threads;
    file.dry_run = options_.dry_run;
    for (const Member& member : network_.file().members) {
      file.names[member.node] = member.name;
      file.names[member.owner] = member.name;
    }
    file.names[key] = "requester";
    file.names[owner] = "requester";
    return file;
  }

  const RunOptions& options_;
  const NetworkFolder& network_;
  const Report& report_;
  platform::Files files_;
};

/// What opening a job puts into escrow. Errors: overflow.
Result<Amount> escrow_of(const model::OpenJob& open) {
  const Amount work = TRY(model::price_of(open.operations, open.price_per_unit));
  const Amount audits = TRY(model::audit_budget(work, open.share_millionths, open.tasks));
  return work.add(audits);
}

class Signer {
 public:
  Signer(const RunOptions& options, const NetworkFolder& network)
      : options_(options), network_(network) {}

  Result<model::Signed> sign(const model::Transaction& transaction, uint64_t nonce) const {
    const auto* const open = std::get_if<model::OpenJob>(&transaction);
    if (open == nullptr) {
      return refuse(Code::not_allowed, "a requester asks for a signature that no job needs");
    }
    const Amount escrow = TRY(escrow_of(*open));
    const crypto::SecretKey owner = TRY(load_plain_key(network_.wallet_of(owner_name)));
    TRY(check_funds(owner.public_key(), escrow));
    TRY(confirm(escrow));
    const model::NetworkId id = model::network_id(network_.file().genesis);
    return model::sign(
        owner, {id, model::SignedKind::transaction, nonce}, codec::encode(transaction));
  }

 private:
  Result<void> check_funds(const crypto::PublicKey& owner, Amount escrow) const {
    const auto visit = TRY(Visit::begin(network_.file().genesis, network_.file().ledger));
    const auto account = visit->state().accounts.find(owner);
    const Amount balance =
        account == visit->state().accounts.end() ? Amount() : account->second.balance;
    if (balance < escrow) {
      return refuse(Code::low_funds,
                    "the job costs " + escrow.print() + ", and you have " + balance.print(),
                    "lower the job's work or send money to this wallet");
    }
    return {};
  }
  Result<void> confirm(Amount escrow) const {
    if (options_.yes) {
      return {};
    }
    if (!platform::is_terminal(0)) {
      return refuse(Code::bad_option,
                    "nobody is there to agree to spend " + escrow.print(),
                    "add --yes",
                    "--yes");
    }
    std::cout << "put " << escrow.print() << " into escrow? [y/N] " << std::flush;
    std::string answer;
    std::getline(std::cin, answer);
    if (answer != "y" && answer != "yes") {
      return refuse(Code::cancelled, "nothing was spent", "the job can be run again");
    }
    return {};
  }

  const RunOptions& options_;
  const NetworkFolder& network_;
};

Exit follow(const RunOptions& options, const NetworkFolder& network, const std::string& job) {
  const Signer signer(options, network);
  JobFollower follower({network,
                        job,
                        options.json,
                        options.out_folder,
                        [&signer](const model::Transaction& transaction, uint64_t nonce) {
                          return signer.sign(transaction, nonce);
                        }});
  (void)std::signal(SIGINT, on_interrupt);
  return follower.follow([] { return interrupted != 0; });
}

}  // namespace

Exit run_job(const RunOptions& options) {
  const Report report(options.json);
  const auto network = NetworkFolder::open(options.network);
  if (!network.ok()) {
    return report.fail(network.error());
  }
  const auto job = Run(options, *network, report).start();
  if (!job.ok()) {
    return report.fail(job.error());
  }
  return follow(options, *network, *job);
}

Exit attach_job(const RunOptions& options, const std::string& name) {
  const Report report(options.json);
  const auto network = NetworkFolder::open(options.network);
  if (!network.ok()) {
    return report.fail(network.error());
  }
  return follow(options, *network, name);
}

}  // namespace lockstep::apps
