#include "apps/job_follower.h"

#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>

#include "apps/hints.h"
#include "apps/jobs.h"
#include "apps/node_process.h"
#include "apps/requester_process.h"
#include "platform/files.h"

namespace lockstep::apps {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr size_t file_bytes_max = size_t{1} << 20;
constexpr auto look = std::chrono::milliseconds(50);

bool exists(const std::string& path) {
  std::error_code error;
  return fs::exists(path, error);
}

Result<json> read_json(const std::string& path) {
  platform::Files files;
  const Bytes bytes = TRY(files.read(path, file_bytes_max));
  json read = json::parse(bytes, nullptr, false);
  if (!read.is_object()) {
    return refuse(Code::bad_folder, "this file is not what a requester writes", {}, path);
  }
  return read;
}

}  // namespace

JobFollower::JobFollower(Setup setup)
    : setup_(std::move(setup)), folder_(setup_.network.job(setup_.job)), report_(setup_.json) {}

Exit JobFollower::follow(const std::function<bool()>& stop) {
  while (!stop()) {
    const auto stepped = step();
    if (!stepped.ok()) {
      return report_.fail(with_hint(stepped.error()));
    }
    if (is_job_over(folder_)) {
      const auto read = read_events();  // what came last
      const auto done = read.ok() ? finish() : Result<Exit>(read.error());
      return done.ok() ? *done : report_.fail(with_hint(done.error()));
    }
    std::this_thread::sleep_for(look);
  }
  tell_detached();
  return Exit::interrupted;
}

/// A dry run leaves nothing to come back to.
void JobFollower::tell_detached() const {
  if (setup_.dry_run) {
    report_.aside("interrupted; nothing was spent and nothing goes on", "detached", {{"job", ""}});
    return;
  }
  const bool paid = exists(folder_ + "/" + signed_file_name);
  report_.aside((paid ? "detached; the job goes on. Come back: lockstep run --attach "
                      : "detached; nothing is spent until you come back: lockstep run --attach ") +
                    setup_.job + "; stop it: lockstep cancel " + setup_.job,
                "detached",
                {{"job", setup_.job}, {"paid", paid}});
}

Result<void> JobFollower::step() {
  TRY(read_events());
  TRY(answer());
  if (!setup_.network.is_running(folder_) && !is_job_over(folder_)) {
    if (TRY(setup_.network.start(folder_))) {
      report_.aside(
          "the job's requester had died; it goes on", "requester_started", json::object());
    }
  }
  return {};
}

Result<void> JobFollower::read_events() {
  std::ifstream events(folder_ + "/" + events_file_name, std::ios::binary);
  if (!events) {
    return {};
  }
  events.seekg(static_cast<std::streamoff>(read_));
  std::string more((std::istreambuf_iterator<char>(events)), std::istreambuf_iterator<char>());
  read_ += more.size();
  rest_ += more;
  size_t end = 0;
  while ((end = rest_.find('\n')) != std::string::npos) {
    const std::string line = rest_.substr(0, end);
    rest_.erase(0, end + 1);
    const json event = json::parse(line, nullptr, false);
    if (!event.is_object()) {
      continue;  // torn by a crash
    }
    show(line);
    TRY(misfortune(event));
  }
  return {};
}

void JobFollower::show(const std::string& line) {
  json event = json::parse(line, nullptr, false);
  const std::string text = event.value("text", std::string());
  const std::string name = event.value("event", std::string());
  event.erase("text");
  report_.aside(text, name, std::move(event));
}

/// The owner's key is here, not in the requester's folder.
Result<void> JobFollower::answer() {
  const std::string asked = folder_ + "/" + ask_file_name;
  if (!setup_.sign || !exists(asked)) {
    return {};
  }
  const json question = TRY(read_json(asked));
  if (question == answered_) {
    return {};
  }
  const auto bytes = from_hex(question.value("transaction", std::string()));
  if (!bytes.ok() || !question.value("nonce", json()).is_number_unsigned()) {
    return refuse(Code::bad_folder, "what the owner is asked cannot be read", {}, asked);
  }
  const auto transaction = TRY(codec::decode<model::Transaction>(*bytes));
  const auto made = setup_.sign(transaction, question["nonce"].get<uint64_t>());
  if (!made.ok()) {
    return refused(made.error());
  }
  answered_ = question;
  const json answer = {{"signed", to_hex(codec::encode(*made))}};
  const std::string text = answer.dump() + "\n";
  platform::Files files;
  return files.write(folder_ + "/" + signed_file_name,
                     {reinterpret_cast<const uint8_t*>(text.data()), text.size()});
}

/// The owner did not sign. Where nothing was signed before either, there is nothing to settle, and
/// who said no is not asked again.
Error JobFollower::refused(const Error& why) const {
  const bool is_final = why.code == Code::cancelled || why.code == Code::low_funds;
  if (is_final && !exists(folder_ + "/" + signed_file_name)) {
    (void)end_unopened(setup_.network, setup_.job, why);
    return why;
  }
  (void)setup_.network.stop(folder_);
  Error error = why;
  error.next += (error.next.empty() ? "come back: " : "; then come back: ");
  error.next += "lockstep run --attach " + setup_.job;
  return error;
}

Result<void> JobFollower::misfortune(const json& event) {
  const auto& demo = setup_.network.file().demo;
  if (!demo || killed_ || event.value("event", std::string()) != "round" ||
      event.value("round", 0U) + 1 < demo->round) {
    return {};
  }
  killed_ = true;
  const std::string victim = setup_.network.member(demo->killed);
  if (setup_.network.is_running(victim)) {
    TRY(setup_.network.kill(victim));
    report_.aside("machine: " + demo->killed + " was killed (kill -9), for the demonstration",
                  "killed",
                  {{"name", demo->killed}});
  }
  return {};
}

Result<void> JobFollower::copy_results() const {
  std::error_code error;
  fs::create_directories(setup_.out_folder, error);
  fs::copy(folder_ + "/outputs",
           setup_.out_folder,
           fs::copy_options::overwrite_existing | fs::copy_options::recursive,
           error);
  if (error) {
    return refuse(Code::io_failed,
                  "the results cannot be copied: " + error.message(),
                  "they lie in " + folder_ + "/outputs",
                  setup_.out_folder);
  }
  return {};
}

Result<Exit> JobFollower::finish() {
  const json over = TRY(read_json(folder_ + "/" + over_file_name));
  if (!over.value("ok", false)) {
    const json error = over.value("error", json::object());
    Error why;
    why.code = static_cast<Code>(error.value("code", static_cast<int>(Code::internal)));
    why.where = error.value("where", std::string());
    why.what = error.value("what", std::string("the job failed"));
    why.next = error.value("next", std::string());
    return why;
  }
  if (!setup_.out_folder.empty()) {
    TRY(copy_results());
    report_.aside("results: " + setup_.out_folder + " (check the receipt: lockstep verify " +
                      setup_.out_folder + "/receipt.json)",
                  "results",
                  {{"folder", setup_.out_folder}});
  }
  return Exit::ok;
}

}  // namespace lockstep::apps
