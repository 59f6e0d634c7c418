// The program itself: a network of processes, a job on it, and what becomes of both when processes
// die. Everything goes through the command line, as people use it.
#include <random>

#include "apps/test_network_folder.h"
#include "base/test_soak.h"

namespace lockstep::apps {
namespace {

namespace fs = std::filesystem;

TEST_F(NetworkTest, AJobGivesTheModelOfTheSimulator) {
  const Output up = run("up --providers 2" + flags_);
  ASSERT_EQ(up.exit, 0) << up.text;
  EXPECT_NE(up.text.find("the network is up"), std::string::npos);

  const Output again = run("up" + flags_);
  EXPECT_EQ(again.exit, 0) << again.text;
  EXPECT_NE(again.text.find("provider-1: runs already"), std::string::npos) << again.text;

  const Output job_run = run("run " + job() + " --yes --out " + root_ + "/out" + flags_);
  ASSERT_EQ(job_run.exit, 0) << job_run.text;
  EXPECT_EQ(after(job_run.text, "model root: "), honest_root());
  EXPECT_NE(job_run.text.find("unchanged"), std::string::npos) << job_run.text;
  const Output verified = run("verify " + root_ + "/out/receipt.json");
  EXPECT_EQ(verified.exit, 0) << verified.text;
  EXPECT_TRUE(fs::exists(root_ + "/out/model.safetensors"));
  EXPECT_TRUE(fs::exists(root_ + "/out/report.html"));

  const Output jobs = run("jobs" + flags_);
  EXPECT_NE(jobs.text.find("tiny-1"), std::string::npos) << jobs.text;
  EXPECT_NE(jobs.text.find("done"), std::string::npos) << jobs.text;
  EXPECT_EQ(run("cancel tiny-1" + flags_).exit, 2);
}

TEST_F(NetworkTest, AnybodyMayBeKilledAtAnyMoment) {
  const auto seed =
      static_cast<unsigned>(std::chrono::system_clock::now().time_since_epoch().count());
  std::mt19937 random(seed);
  SCOPED_TRACE("seed " + std::to_string(seed));
  write_job(soak_times() > 1 ? 200 : 30);
  const std::string root = honest_root();
  ASSERT_FALSE(root.empty());
  ASSERT_EQ(run("up --providers 2" + flags_).exit, 0);
  Beside job_run("run " + job() + " --yes --out " + root_ + "/out" + flags_);
  const std::string net = root_ + "/net/";
  const std::vector<std::string> members = {"ledger", "provider-1", "jobs/tiny-1", "auditor-1"};
  int killed = 0;
  // Each role in turn; 20 moments a role in a long run.
  const int moments = soak_times() > 1 ? 80 : 12;
  for (int i = 0; i < moments && !fs::exists(net + "jobs/tiny-1/over.json"); ++i) {
    std::this_thread::sleep_for(std::chrono::milliseconds(100 + random() % 700));
    const int pid = pid_of(net + members[static_cast<size_t>(i) % members.size()]);
    if (pid > 0 && ::kill(pid, SIGKILL) == 0) {
      ++killed;
    }
    EXPECT_EQ(run("up" + flags_).exit, 0);
  }
  const Output& done = job_run.finish();
  ASSERT_EQ(done.exit, 0) << done.text;
  EXPECT_GE(killed, 3);
  EXPECT_EQ(after(done.text, "model root: "), root);
  EXPECT_NE(done.text.find("unchanged"), std::string::npos) << done.text;
  const Output verified = run("verify " + root_ + "/out/receipt.json");
  EXPECT_EQ(verified.exit, 0) << verified.text;
}

TEST_F(NetworkTest, MistakesGetAClearAnswer) {
  const Output early = run("run " + job() + flags_);
  EXPECT_EQ(early.exit, 3) << early.text;
  EXPECT_NE(early.text.find("lockstep up"), std::string::npos) << early.text;

  ASSERT_EQ(run("up --providers 1 --auditors 0" + flags_).exit, 0);
  const Output nobody = run("run " + job() + flags_);
  EXPECT_EQ(nobody.exit, 2) << nobody.text;
  EXPECT_NE(nobody.text.find("--yes"), std::string::npos) << nobody.text;
  const Output missing = run("run " + root_ + "/no.yaml --yes" + flags_);
  EXPECT_EQ(missing.exit, 2) << missing.text;
  EXPECT_NE(missing.text.find("no.yaml"), std::string::npos) << missing.text;
  EXPECT_NE(run("logs nothing" + flags_).exit, 0);
}

}  // namespace
}  // namespace lockstep::apps
