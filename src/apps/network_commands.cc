#include "apps/network_commands.h"

#include "apps/node_log_reader.h"
#include "platform/data_dir.h"

namespace lockstep::apps {

NetworkCommands::NetworkCommands(CLI::App& app) {
  add_up(app);
  add_provide(app);
  add_run(app);
  add_jobs(app);
  add_node(app);
}

void NetworkCommands::add_network(CLI::App& command) {
  command.add_option("--network", network_, "the network's name")->capture_default_str();
  command.add_option("--network-dir", folder_, "the network's folder, instead of a name");
  command.add_flag("--json", json_, "one event per line");
}

void NetworkCommands::add_up(CLI::App& app) {
  up_ =
      app.add_subcommand("up", "start a private network on this computer, or what of it has died");
  add_network(*up_);
  up_->add_option("--providers", up_options_.providers, "machines for rent, of a new network")
      ->check(CLI::Range(1, 32))
      ->capture_default_str();
  up_->add_option("--auditors", up_options_.auditors, "of a new network")
      ->check(CLI::Range(0, 16))
      ->capture_default_str();
  up_->add_option("--listen", up_options_.listen, "address of a new network's ledger")
      ->capture_default_str();
  up_->add_flag("--metrics", up_options_.metrics, "for Prometheus, on a loopback port a node");
  up_->add_option("--log-level", up_options_.log_level, "of the nodes that it starts")
      ->check(CLI::IsMember({"debug", "info", "warn", "error"}))
      ->capture_default_str();
  up_->add_flag("--demo", up_options_.demo, "provider-3 lies, provider-2 is killed in a job");
  up_->add_flag("--honest", up_options_.honest, "with --demo: nobody lies and nobody is killed");
  up_->add_flag("--record", up_options_.record, "nodes write down all they do, to be replayed");
  down_ = app.add_subcommand("down", "stop the network; nothing is lost");
  add_network(*down_);
}

void NetworkCommands::add_provide(CLI::App& app) {
  provide_ = app.add_subcommand("provide", "lend a slice of this machine to a network");
  ProvideOptions& options = provide_options_;
  provide_->add_option("--join", options.join, "ADDRESS#NODEID of the network, the first time");
  provide_->add_option("--cpus", options.slice.cpus, "processors: a count, or a share: 50%");
  provide_->add_option("--memory", options.slice.memory, "a size such as 4GB, or a share");
  provide_->add_option("--disk", options.slice.disk, "a size such as 10GB, or a share");
  provide_->add_option("--gpu", options.slice.gpu, "none, or a count");
  provide_->add_option("--when", options.slice.when, "hours, such as \"22:00-07:00, idle\"");
  provide_->add_option("--price", options.price.price, "of 10^9 operations; auto: the market's");
  provide_->add_option("--power-watts", options.price.power_watts, "what working adds");
  provide_->add_option("--power-cost", options.price.power_cost, "of a kilowatt-hour");
  provide_->add_option("--owner", options.owner, "a wallet; without it a key is made");
  provide_->add_option("--stake", options.stake, "what the owner risks: \"500 LKS\"");
  provide_->add_option("--name", options.name, "the machine's, in its offers");
  provide_->add_option("--dir", options.folder, "the provider's folder, if not the usual one");
  provide_->add_option("--wallet-dir", options.wallet_folder, "folder of the wallets");
  provide_->add_option(
      "--passphrase-file", options.passphrase_file, "its first line, where nobody can type");
  provide_->add_option("--benchmark-ms", options.benchmark_ms, "for tests")->group("");
  provide_->add_flag("--background", options.background, "start it and come back");
  provide_->add_flag("--json", options.json, "one event per line");
}

void NetworkCommands::add_run(CLI::App& app) {
  run_ = app.add_subcommand("run", "run a job on the network and follow it");
  add_network(*run_);
  CLI::Option* const job = run_->add_option("job", job_, "the job file");
  CLI::Option* const attach =
      run_->add_option("--attach", attach_, "follow this job, which was started before");
  job->excludes(attach);
  run_->add_option("--out", run_options_.out_folder, "folder for weights, receipt and report");
  run_->add_option("--threads", run_options_.threads, "threads of the requester's own audits")
      ->check(CLI::Range(1, 256))
      ->capture_default_str();
  run_->add_flag("--yes", run_options_.yes, "spend without asking");
  run_->add_flag("--record", run_options_.record, "the requester writes down all it does");
  run_->add_flag("--dry-run", run_options_.dry_run, "show offers and price, spend nothing");
}

void NetworkCommands::add_jobs(CLI::App& app) {
  jobs_ = app.add_subcommand("jobs", "list the jobs that were run from here");
  add_network(*jobs_);
  logs_ = app.add_subcommand("logs", "show what a job has told, or a node's log");
  add_network(*logs_);
  CLI::Option* const job = logs_->add_option("job", job_, "its name, as `lockstep jobs` has it");
  logs_->add_option("--node", log_node_, "instead: a node, or a job whose requester is meant")
      ->excludes(job);
  cancel_ = app.add_subcommand("cancel", "end a job: what was done is paid");
  add_network(*cancel_);
  cancel_->add_option("job", job_, "its name, as `lockstep jobs` has it")->required();
}

/// Started by `up` and `run`; not for people.
void NetworkCommands::add_node(CLI::App& app) {
  node_ = app.add_subcommand("node", "one node as a process")->group("");
  node_->add_option("folder", node_options_.folder, "the node's folder")->required();
  node_->add_flag("--record", node_options_.record, "write down all it does");
  node_->add_flag("--metrics", node_options_.metrics, "for Prometheus, on a loopback port");
  node_->add_option("--log-level", node_options_.log_level, "debug, info, warn or error")
      ->capture_default_str();
  node_->add_option("--kill-at", node_options_.kill_at, "NAME:N, for tests");
  node_->add_option("--kill-trace", node_options_.kill_trace, "a file, for tests");
}

Result<std::string> NetworkCommands::folder() const {
  return folder_.empty() ? platform::default_network_folder(network_)
                         : Result<std::string>(folder_);
}

std::optional<Exit> NetworkCommands::run() {
  if (*node_) {
    return run_node(node_options_);
  }
  if (*provide_) {
    return provide(provide_options_);
  }
  if (!*up_ && !*down_ && !*run_ && !*jobs_ && !*logs_ && !*cancel_) {
    return std::nullopt;
  }
  const auto where = folder();
  if (!where.ok()) {
    return Report(json_).fail(where.error());
  }
  return dispatch(*where);
}

Exit NetworkCommands::logs(const std::string& folder) const {
  if (!log_node_.empty()) {
    return show_node_log(folder, log_node_, json_);
  }
  return job_.empty() ? Report(json_).fail(refuse(Code::bad_option,
                                                  "no job is named",
                                                  "name a job, or a node: --node NAME",
                                                  "job"))
                      : show_log(folder, job_, json_);
}

Exit NetworkCommands::dispatch(const std::string& folder) {
  if (*up_) {
    up_options_.folder = folder;
    up_options_.json = json_;
    return up(up_options_);
  }
  if (*down_) {
    return down(folder, json_);
  }
  if (*run_) {
    run_options_.network = folder;
    run_options_.job_path = job_;
    run_options_.json = json_;
    if (job_.empty() && attach_.empty()) {
      return Report(json_).fail(refuse(Code::bad_option,
                                       "no job is named",
                                       "name a job file, or a job to follow: --attach NAME",
                                       "job"));
    }
    return attach_.empty() ? run_job(run_options_) : attach_job(run_options_, attach_);
  }
  if (*jobs_) {
    return list_jobs(folder, json_);
  }
  return *logs_ ? logs(folder) : cancel_job(folder, job_, json_);
}

}  // namespace lockstep::apps
