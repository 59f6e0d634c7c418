#include "apps/run.h"

#include <filesystem>

#include "apps/confirm.h"
#include "apps/hints.h"
#include "apps/interrupt.h"
#include "apps/job_end.h"
#include "apps/job_follower.h"
#include "apps/job_input.h"
#include "apps/jobs.h"
#include "apps/node_process.h"
#include "apps/recorder.h"
#include "apps/requester_process.h"
#include "apps/visit.h"
#include "apps/wallet_files.h"
#include "base/limits.h"
#include "law/roots.h"
#include "platform/data_dir.h"
#include "platform/files.h"
#include "platform/rocks.h"
#include "prepare/prepare.h"

namespace lockstep::apps {
namespace {

namespace fs = std::filesystem;

constexpr const char* owner_name = "you";
constexpr uint32_t jobs_max = 100'000;

/// Less than this for a job's folder, and it is not begun.
constexpr uint64_t disk_bytes_least = uint64_t{64} << 20;

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
    TRY(check_disk());
    const std::string name = TRY(new_job_name(network_, spec.name));
    const auto started = start_in(network_.job(name), spec, owner, *visit);
    if (!started.ok()) {
      // Nothing runs there, and nothing was spent.
      std::error_code ignored;
      fs::remove_all(network_.job(name), ignored);
      return started.error();
    }
    return name;
  }

 private:
  Result<void> check_disk() const {
    const auto room = TRY(platform::disk_room(network_.path(), UINT64_MAX));
    return room.left < disk_bytes_least ? Result<void>(no_space(network_.path(), room.left))
                                        : Result<void>();
  }
  Result<void> start_in(const std::string& folder,
                        const model::JobSpec& spec,
                        const crypto::SecretKey& owner,
                        Visit& visit) {
    const crypto::SecretKey key = TRY(make_node_folder(folder));
    TRY(check_interrupt());
    TRY(prepare_in(folder, spec));
    TRY(check_interrupt());
    if (!options_.dry_run) {
      const model::NodeConsent consent{owner.public_key(), model::Role::requester};
      (void)TRY(visit.submit(owner, model::register_node(visit.state().network, key, consent)));
    }
    const std::string name = fs::path(folder).filename().string();
    TRY(write_node_json(folder, node_file(name, owner.public_key(), key.public_key())));
    TRY(check_interrupt());
    if (options_.record) {
      TRY(Recorder::switch_on(folder));
    }
    (void)TRY(network_.start(folder));
    return {};
  }
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
    TRY(agree(options_.yes, "put " + escrow.print() + " into escrow"));
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
      return refuse(
          Code::low_funds,
          "the job costs " + escrow.print() + ", and you have " + balance.print(),
          "ask for less in the job file, or get money to this wallet: lockstep wallet send "
          "--to " +
              std::string(owner_name));
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
                        options.dry_run,
                        options.out_folder,
                        [&signer](const model::Transaction& transaction, uint64_t nonce) {
                          return signer.sign(transaction, nonce);
                        }});
  const Exit exit = follower.follow([] { return is_interrupted(); });
  if (options.dry_run) {
    std::error_code ignored;
    (void)network.stop(network.job(job));
    fs::remove_all(network.job(job), ignored);
  }
  return exit;
}

}  // namespace

Exit run_job(const RunOptions& options) {
  const Report report(options.json);
  watch_interrupts();
  const auto network = NetworkFolder::open(options.network);
  if (!network.ok()) {
    return report.fail(with_hint(network.error()));
  }
  // Before anything is prepared for nothing.
  const auto can_agree = check_can_agree(options.yes || options.dry_run, "spend on a job");
  if (!can_agree.ok()) {
    return report.fail(can_agree.error());
  }
  const auto job = Run(options, *network, report).start();
  if (!job.ok()) {
    return report.fail(with_hint(with_neighbours(job.error())));
  }
  return follow(options, *network, *job);
}

Exit attach_job(const RunOptions& options, const std::string& name) {
  const Report report(options.json);
  watch_interrupts();
  const auto network = NetworkFolder::open(options.network);
  if (!network.ok()) {
    return report.fail(with_hint(network.error()));
  }
  const auto there = check_job(*network, name);
  if (!there.ok()) {
    return report.fail(there.error());
  }
  RunOptions attached = options;
  attached.dry_run = false;  // what is there already is not thrown away
  return follow(attached, *network, name);
}

}  // namespace lockstep::apps
