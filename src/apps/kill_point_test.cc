// Processes that die at every named point of their work, one after the other, in the middle of a
// job: the model is that of the unbroken run, no finished task runs again, all money is there.
#include "platform/kill_point.h"

#include <algorithm>

#include "apps/test_network_folder.h"
#include "base/test_soak.h"

namespace lockstep::apps {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;
using Points = std::set<std::string>;

struct RolePoints {
  std::string member;  // whose folder, of the network's
  Points first;  // only when none of these is left it dies at others: they come late in a task
  Points points;
  Points rare;  // reached in some runs
};

RolePoints ledger_points() {
  return {"ledger",
          {},
          {"got.submit.before",
           "got.submit.after",
           "send.blocks.before",
           "send.blocks.after",
           "sync.before",
           "sync.after",
           "store.before:block",
           "store.after:block",
           "store.before:height",
           "store.after:height"},
          {}};
}

RolePoints provider_points() {
  return {"provider-1",
          {"work.before",
           "done.before",
           "done.after",
           "send.deliver.before",
           "send.deliver.after",
           "got.voucher.before",
           "got.voucher.after",
           "send.submit.before",
           "send.submit.after",
           "got.assign.before",
           "got.assign.after",
           "store.before:task",
           "store.after:task",
           "store.before:order",
           "store.after:order",
           "store.before:tasks",
           "store.after:tasks"},
          {"got.blocks.before",  "got.blocks.after",  "send.quote.before",    "send.quote.after",
           "store.before:block", "store.after:block", "send.ask_blob.before", "send.ask_blob.after",
           "got.blob.before",    "got.blob.after",    "got.ask_blob.before",  "got.ask_blob.after",
           "send.blob.before",   "sync.before",       "sync.after",           "store.before:blob",
           "store.after:blob",   "store.before:size", "store.after:size",     "store.before:head",
           "store.after:head",   "store.before:part", "store.after:part",     "store.before:pin",
           "store.after:pin"},
          {"send.blob.after",
           "store.after:part",
           "send.decline.before",
           "send.decline.after",
           "got.cancel.before",
           "got.cancel.after"}};
}

RolePoints auditor_points() {
  return {"auditor-1",
          {},
          {"got.blocks.before",
           "got.blocks.after",
           "send.ask_blob.before",
           "send.ask_blob.after",
           "sync.before",
           "sync.after",
           "store.before:block",
           "store.after:block",
           "store.before:pin",
           "store.after:pin",
           "work.before",
           "got.blob.before",
           "send.submit.before",
           "send.submit.after"},
          {"done.before",
           "done.after",
           "got.blob.after",
           "got.ask_blob.before",
           "got.ask_blob.after",
           "send.blob.before",
           "send.blob.after",
           "store.before:blob",
           "store.after:blob",
           "store.before:size",
           "store.after:size",
           "store.before:head",
           "store.after:head",
           "store.before:part",
           "store.after:part"}};
}

RolePoints requester_points() {
  return {"jobs/tiny-1",
          {},
          {"signed.before",
           "signed.after",
           "ask.before",
           "ask.after",
           "send.submit.before",
           "send.submit.after",
           "got.blocks.before",
           "got.blocks.after",
           "got.quote.before",
           "got.quote.after",
           "send.assign.before",
           "send.assign.after",
           "got.deliver.before",
           "got.deliver.after",
           "send.voucher.before",
           "send.voucher.after",
           "got.ask_blob.before",
           "got.ask_blob.after",
           "send.ask_blob.before",
           "send.ask_blob.after",
           "got.blob.before",
           "got.blob.after",
           "send.blob.before",
           "send.blob.after",
           "tell.accepted.before",
           "tell.accepted.after",
           "tell.finished.before",
           "tell.finished.after",
           "tell.over.before",
           "tell.over.after",
           "sync.before",
           "sync.after",
           "store.before:block",
           "store.after:block",
           "store.before:job",
           "store.after:job",
           "store.before:ids",
           "store.after:ids",
           "store.before:placed",
           "store.after:placed",
           "store.before:accepted",
           "store.after:accepted",
           "store.before:twin",
           "store.after:twin",
           "store.before:blob",
           "store.after:blob",
           "store.before:size",
           "store.after:size",
           "store.before:head",
           "store.after:head",
           "store.before:part",
           "store.after:part"},
          {"work.before",
           "done.before",
           "done.after",
           "store.before:pin",
           "store.after:pin",
           "got.decline.before",
           "got.decline.after",
           "send.cancel.before",
           "send.cancel.after"}};
}

/// Which role reaches which points in the job of this test, all of them. A role that reaches one
/// that is missing here fails the test.
const std::vector<RolePoints>& all_roles() {
  static const std::vector<RolePoints> roles = {
      ledger_points(), provider_points(), auditor_points(), requester_points()};
  return roles;
}

/// One member that is killed at each of its points, whichever comes first, until none is left.
class Victim {
 public:
  Victim(std::string folder, std::string trace, const RolePoints& role, uint64_t times)
      : folder_(std::move(folder)),
        trace_(std::move(trace)),
        first_(role.first),
        left_(role.points),
        times_(times) {}

  /// Looks at it once, and starts it when it is dead. False: it cannot be started.
  bool look() {
    if (none_left() || is_job_over(folder_)) {
      return true;
    }
    if (mine_ && mine_->is_alive() && pid_of(folder_) == mine_->pid()) {
      return true;
    }
    const auto turn = platform::wait_for_lock(folder_ + "/start.lock");
    if (!turn.ok()) {
      return false;
    }
    if (mine_ && !mine_->is_alive()) {
      take_death();
      if (none_left() || is_job_over(folder_)) {
        return true;
      }
    }
    end_another();
    std::string armed;
    for (const std::string& point : first_.empty() ? left_ : first_) {
      armed.append(armed.empty() ? "" : ",").append(point).append(":" + std::to_string(times_));
    }
    auto started = spawn_node(folder_, {"--kill-trace", trace_, "--kill-at", armed});
    if (!started.ok()) {
      return false;
    }
    mine_ = *started;
    is_taken_ = false;
    return true;
  }

  /// It has died for the last time, and is to be started as people do.
  [[nodiscard]] bool wants_up() const {
    return none_left() && mine_ && !mine_->is_alive() && pid_of(folder_) == mine_->pid() &&
           !is_job_over(folder_);
  }
  /// When the job is over: what is left of its points goes back.
  void give_back(RolePoints& role) {
    if (mine_ && !mine_->is_alive()) {
      take_death();
    }
    role.first = first_;
    role.points = left_;
  }
  [[nodiscard]] const std::vector<std::string>& strange() const { return strange_; }
  /// All that were reached while it was armed.
  [[nodiscard]] Points reached() const {
    Points names;
    const auto counts = platform::read_kill_trace(trace_);
    if (counts.ok()) {
      for (const auto& [name, count] : *counts) {
        names.insert(name);
      }
    }
    return names;
  }

 private:
  [[nodiscard]] bool none_left() const { return first_.empty() && left_.empty(); }
  /// The last point that a trace names is the one at which its process died.
  void take_death() {
    if (is_taken_) {
      return;
    }
    is_taken_ = true;
    std::string text = text_in(trace_);
    text.resize(text.empty() ? 0 : text.size() - 1);
    const std::string point = text.substr(text.rfind('\n') + 1);
    if (first_.erase(point) + left_.erase(point) == 0 && !is_job_over(folder_)) {
      strange_.push_back("ended by itself after " + point);
    }
  }
  /// Whoever follows the job starts its process as well.
  void end_another() {
    const auto other = platform::Process::find(folder_ + "/node.pid");
    if (other.ok() && other->is_alive()) {
      (void)::kill(other->pid(), SIGKILL);
      (void)wait_until([&] { return !other->is_alive(); }, 5000);
    }
  }

  std::string folder_, trace_;
  Points first_, left_;
  uint64_t times_;
  std::optional<platform::Process> mine_;
  bool is_taken_ = false;  // its death is counted
  std::vector<std::string> strange_;
};

/// What the record of a job's events says about its tasks.
struct Told {
  std::set<std::string> accepted;  // ids
  std::vector<std::string> again;  // names of tasks that were placed after they were accepted
  uint64_t voided = 0;
};

Told told_in(const std::string& folder) {
  Told told;
  std::map<std::string, std::string> names;  // of tasks, by id
  std::set<std::string> finished;
  std::istringstream lines(text_in(folder + "/" + events_file_name));
  std::string line;
  while (std::getline(lines, line)) {
    const json event = json::parse(line, nullptr, false);
    if (!event.is_object()) {
      continue;  // torn by a kill
    }
    const std::string name = event.value("event", std::string());
    const std::string id = event.value("id", std::string());
    if (name == "task_placed") {
      const bool is_new = names.emplace(id, event.value("task", std::string())).second;
      if (is_new && finished.contains(names[id])) {
        told.again.push_back(names[id]);
      }
    } else if (name == "task_accepted") {
      told.accepted.insert(id);
      if (names.contains(id)) {
        finished.insert(names[id]);
      }
    } else if (name == "void") {
      ++told.voided;
    }
  }
  return told;
}

bool is_known(const std::string& member, const std::string& point) {
  const auto role = std::find_if(all_roles().begin(),
                                 all_roles().end(),
                                 [&](const RolePoints& one) { return one.member == member; });
  return role != all_roles().end() && (role->first.contains(point) ||
                                       role->points.contains(point) || role->rare.contains(point));
}

class KillPointsTest : public NetworkTest {
 protected:
  /// A job during which the members die at these points, each at its `times`th; what is left of
  /// the points goes back into `roles`.
  void run_job(std::vector<RolePoints>& roles, uint64_t times) {
    (void)run("down" + flags_);
    fs::remove_all(net_);
    fs::remove_all(root_ + "/out");
    ASSERT_EQ(run("up --providers 2" + flags_).exit, 0);
    Beside job_run(run_words());
    ASSERT_TRUE(wait_until(
        [&] { return job_run.is_over() || fs::exists(net_ + "/jobs/tiny-1/ready.json"); }, 30'000));
    std::vector<Victim> victims;
    victims.reserve(roles.size());
    for (const RolePoints& role : roles) {
      const std::string trace = root_ + "/" + std::to_string(victims.size()) + ".trace";
      fs::remove(trace);
      victims.emplace_back(net_ + "/" + role.member, trace, role, times);
    }
    while (!job_run.is_over()) {
      look_at(victims);
    }
    const Output& done = job_run.finish();
    for (size_t i = 0; i < roles.size(); ++i) {
      SCOPED_TRACE(roles[i].member);
      victims[i].give_back(roles[i]);
      EXPECT_EQ(victims[i].strange(), std::vector<std::string>());
      for (const std::string& name : victims[i].reached()) {
        EXPECT_TRUE(is_known(roles[i].member, name)) << name << ": add it to all_roles()";
      }
    }
    ASSERT_EQ(done.exit, 0) << done.text;
    expect_unharmed(done.text);
  }

  void look_at(std::vector<Victim>& victims) const {
    bool is_up = true;
    for (Victim& victim : victims) {
      EXPECT_TRUE(victim.look());
      is_up = is_up && !victim.wants_up();
    }
    if (!is_up) {
      EXPECT_EQ(run("up" + flags_).exit, 0);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }

  void expect_unharmed(const std::string& text) {
    EXPECT_EQ(after(text, "model root: "), root());
    EXPECT_NE(text.find("unchanged"), std::string::npos) << text;
    const Output verified = run("verify " + root_ + "/out/receipt.json");
    EXPECT_EQ(verified.exit, 0) << verified.text;
    const Told told = told_in(net_ + "/jobs/tiny-1");
    EXPECT_EQ(told.again, std::vector<std::string>());
    EXPECT_EQ(told.voided, 0U);
    EXPECT_EQ(run("up" + flags_).exit, 0);
    const auto network = NetworkFolder::open(net_);
    ASSERT_TRUE(network.ok());
    const auto visit = Visit::begin(network->file().genesis, network->file().ledger);
    ASSERT_TRUE(visit.ok()) << visit.error().message();
    expect_paid_exactly((*visit)->state(), told.accepted);
  }

  /// Every task of the job was claimed, became final and was paid, once, to the provider whose
  /// receipt was accepted; nothing else was.
  static void expect_paid_exactly(const ledger::State& state,
                                  const std::set<std::string>& accepted) {
    const auto sum = state.sum();
    ASSERT_TRUE(sum.ok());
    EXPECT_EQ(*sum, state.total);
    ASSERT_EQ(state.jobs.size(), 1U);
    const ledger::Job& job = state.jobs.begin()->second;
    EXPECT_EQ(job.status, ledger::JobStatus::settled);
    EXPECT_EQ(job.escrow, Amount());
    EXPECT_EQ(job.audit_budget, Amount());
    std::map<model::LeaseId, uint64_t> operations;
    std::set<std::string> paid;
    for (const auto& [id, claim] : state.claims) {
      for (const ledger::Task& task : claim.tasks) {
        EXPECT_EQ(task.status, ledger::TaskStatus::final);
        EXPECT_TRUE(paid.insert(to_hex(task.id.hash.view())).second);
        operations[claim.lease] += task.operations;
      }
    }
    for (const std::string& id : accepted) {
      EXPECT_TRUE(paid.contains(id)) << id;
    }
    uint64_t all = 0;
    for (const auto& [id, lease] : state.leases) {
      EXPECT_EQ(lease.paid, *model::price_of(operations[id], job.terms.price_per_unit));
      EXPECT_EQ(lease.locked, Amount());
      all += operations[id];
    }
    EXPECT_EQ(all, job.terms.operations) << "each task is paid, and no task twice";
    EXPECT_EQ(state.totals.burned, Amount());
  }

  /// Of the unbroken run.
  [[nodiscard]] const std::string& root() {
    if (root_of_job_.empty()) {
      root_of_job_ = honest_root();
    }
    return root_of_job_;
  }

 private:
  std::string root_of_job_;
};

/// One job, in which every member dies at one point after the other; with LOCKSTEP_SOAK as many
/// jobs as it takes until each has died at each of its points.
TEST_F(KillPointsTest, EveryPointOfEveryRole) {
  write_job(10, "spot:0.9");
  ASSERT_FALSE(root().empty());
  std::vector<RolePoints> roles = all_roles();
  const auto points_left = [&] {
    size_t left = 0;
    for (const RolePoints& role : roles) {
      left += role.first.size() + role.points.size();
    }
    return left;
  };
  const size_t all = points_left();
  const bool is_long = soak_times() > 1;
  const int jobs_max = is_long ? 12 : 1;
  for (int i = 0; i < jobs_max && points_left() > 0; ++i) {
    SCOPED_TRACE("job " + std::to_string(i));
    ASSERT_NO_FATAL_FAILURE(run_job(roles, 1));
  }
  EXPECT_GE(all - points_left(), 40U) << "of " << all;
  for (const RolePoints& role : roles) {
    EXPECT_TRUE(!is_long || role.first.empty()) << role.member << " never died there";
    EXPECT_TRUE(!is_long || role.points.empty()) << role.member << " never died there";
  }
}

/// Long: a job for each, with LOCKSTEP_SOAK only.
TEST_F(KillPointsTest, EachPointByItself) {
  write_job(4, "spot:0.9");
  ASSERT_FALSE(root().empty());
  for (uint64_t times = 2; times <= soak_times(); ++times) {
    for (const RolePoints& role : all_roles()) {
      Points all = role.first;
      all.insert(role.points.begin(), role.points.end());
      for (const std::string& point : all) {
        SCOPED_TRACE(role.member + " " + point + ":" + std::to_string(times - 1));
        std::vector<RolePoints> one = {{role.member, {}, {point}, {}}};
        ASSERT_NO_FATAL_FAILURE(run_job(one, times - 1));
      }
    }
  }
}

}  // namespace
}  // namespace lockstep::apps
