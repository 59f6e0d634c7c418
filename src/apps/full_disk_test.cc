// Disks that are full, folders that may not be written, and two processes on one folder: a clear
// word about it, nothing lost, and the work goes on when there is room again.
#include "apps/test_network_folder.h"

namespace lockstep::apps {
namespace {

/// A mount namespace in which the test may mount: as root or in a user namespace of its own.
class MountSpace {
 public:
  /// `folder` gets the pid of a process that keeps the namespace.
  explicit MountSpace(const std::string& folder) {
    const std::string file = folder + "/keeper";
    (void)run_line("unshare --user --map-root-user --mount sh -c 'echo $$ >" + file +
                   "; exec sleep 900' >/dev/null &");
    (void)wait_until([&] { return text_in(file).ends_with("\n"); }, 5000);
    keeper_ = static_cast<int>(std::strtol(text_in(file).c_str(), nullptr, 10));
  }
  ~MountSpace() {
    if (keeper_ > 0) {
      (void)::kill(keeper_, SIGKILL);
    }
  }
  MountSpace(const MountSpace&) = delete;
  MountSpace& operator=(const MountSpace&) = delete;

  [[nodiscard]] std::string enter() const {
    return "nsenter --preserve-credentials --user --mount --target " + std::to_string(keeper_) +
           " ";
  }
  /// What a path is called outside of the namespace.
  [[nodiscard]] std::string inside(const std::string& path) const {
    return "/proc/" + std::to_string(keeper_) + "/root" + path;
  }
  [[nodiscard]] bool can_mount(const std::string& folder) const {
    return keeper_ > 0 &&
           run_line(enter() + "mount -t tmpfs -o size=64k none " + folder).exit == 0 &&
           run_line(enter() + "umount " + folder).exit == 0;
  }

 private:
  int keeper_ = 0;
};

class FullDiskTest : public NetworkTest {
 public:
  ~FullDiskTest() override { (void)run("down" + flags_, space_.enter()); }

 protected:
  /// The folder of a member moves to a small disk of its own.
  void put_on_small_disk(const std::string& member, const std::string& size) const {
    const std::string folder = net_ + "/" + member;
    const std::string copy = root_ + "/copy-of-" + member;
    ASSERT_EQ(run_line("cp -a " + folder + " " + copy).exit, 0);
    const Output mounted = in_space("mount -t tmpfs -o mode=0700,size=" + size + " none " + folder);
    ASSERT_EQ(mounted.exit, 0) << mounted.text;
    ASSERT_EQ(in_space("cp -a " + copy + "/. " + folder).exit, 0);
  }
  [[nodiscard]] Output in_space(const std::string& line) const {
    return run_line(space_.enter() + line);
  }
  void fill(const std::string& member) const {
    (void)in_space("dd if=/dev/zero bs=4k of=" + net_ + "/" + member + "/filler");
  }
  void make_room(const std::string& member) const {
    EXPECT_EQ(in_space("rm " + net_ + "/" + member + "/filler").exit, 0);
  }
  [[nodiscard]] std::string log_of(const std::string& member) const {
    return text_in(space_.inside(net_ + "/" + member + "/logs/node.log"));
  }
  [[nodiscard]] int rounds_told() const {
    const std::string text = text_in(net_ + "/jobs/tiny-1/" + events_file_name);
    int rounds = 0;
    for (size_t at = 0; (at = text.find("\"event\":\"round\"", at)) != std::string::npos; ++at) {
      ++rounds;
    }
    return rounds;
  }

  MountSpace space_{root_};  // NOLINT(misc-non-private-member-variables-in-classes)
};

TEST_F(FullDiskTest, AJobWaitsForRoomAndGoesOn) {
  if (!space_.can_mount(root_)) {
    std::puts("skipped: this user may not mount in a namespace of its own");
    return;
  }
  write_job(20);
  const std::string root = honest_root();
  ASSERT_FALSE(root.empty());
  ASSERT_EQ(run("up --providers 1" + flags_).exit, 0);
  ASSERT_EQ(run("down" + flags_).exit, 0);
  put_on_small_disk("ledger", "48m");
  put_on_small_disk("provider-1", "96m");
  const Output up = run("up" + flags_, space_.enter());
  ASSERT_EQ(up.exit, 0) << up.text;
  Beside job_run(run_words(), space_.enter());
  int round = 0;
  for (const std::string& member : {std::string("provider-1"), std::string("ledger")}) {
    SCOPED_TRACE(member);
    round += 4;
    ASSERT_TRUE(wait_until([&] { return job_run.is_over() || rounds_told() >= round; }, 120'000));
    ASSERT_FALSE(job_run.is_over());
    fill(member);
    // Nothing leaves that is not durable: the job stands still.
    std::this_thread::sleep_for(std::chrono::milliseconds(1500));
    const int before = rounds_told();
    std::this_thread::sleep_for(std::chrono::milliseconds(1500));
    EXPECT_LE(rounds_told(), before + 1);
    EXPECT_FALSE(job_run.is_over());
    make_room(member);
    EXPECT_EQ(run("up" + flags_, space_.enter()).exit, 0);
  }
  const Output& done = job_run.finish();
  ASSERT_EQ(done.exit, 0) << done.text << log_of("provider-1") << log_of("ledger");
  EXPECT_EQ(after(done.text, "model root: "), root);
  EXPECT_NE(done.text.find("unchanged"), std::string::npos) << done.text;
  const Output verified = run("verify " + root_ + "/out/receipt.json");
  EXPECT_EQ(verified.exit, 0) << verified.text;
}

TEST_F(FullDiskTest, AFolderThatMayNotBeWrittenIsRefused) {
  if (!space_.can_mount(root_)) {
    std::puts("skipped: this user may not mount in a namespace of its own");
    return;
  }
  ASSERT_EQ(run("up --providers 1 --auditors 0" + flags_).exit, 0);
  ASSERT_EQ(run("down" + flags_).exit, 0);
  for (const std::string& member : {std::string("ledger"), std::string("provider-1")}) {
    const std::string folder = net_ + "/" + member;
    put_on_small_disk(member, "48m");
    ASSERT_EQ(in_space("mount -o remount,ro " + folder).exit, 0);
    const Output node = run("node " + folder, space_.enter());
    EXPECT_EQ(node.exit, 1) << node.text;
    EXPECT_NE(node.text.find("Read-only file system"), std::string::npos) << node.text;
    const Output up = run("up" + flags_, space_.enter());
    EXPECT_EQ(up.exit, 1) << up.text;
    EXPECT_NE(up.text.find("Read-only file system"), std::string::npos) << up.text;
    ASSERT_EQ(in_space("mount -o remount,rw " + folder).exit, 0);
  }
  const Output up = run("up" + flags_, space_.enter());
  EXPECT_EQ(up.exit, 0) << up.text;
}

TEST_F(FullDiskTest, ASecondProcessOnAFolderIsRefused) {
  ASSERT_EQ(run("up --providers 1 --auditors 1" + flags_).exit, 0);
  for (const char* member : {"ledger", "provider-1", "auditor-1"}) {
    const Output node = run("node " + net_ + "/" + member);
    EXPECT_EQ(node.exit, 4) << node.text;
    EXPECT_NE(node.text.find("process " + std::to_string(pid_of(net_ + "/" + member))),
              std::string::npos)
        << node.text;
    EXPECT_EQ(::kill(pid_of(net_ + "/" + member), 0), 0) << "the first one lives";
  }
}

}  // namespace
}  // namespace lockstep::apps
