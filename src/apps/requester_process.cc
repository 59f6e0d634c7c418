#include "apps/requester_process.h"

#include <cstdio>
#include <filesystem>

#include "apps/job_end.h"
#include "apps/network_folder.h"
#include "apps/node_process.h"
#include "apps/page.h"
#include "apps/told_lines.h"
#include "base/limits.h"
#include "crypto/key_text.h"

namespace lockstep::apps {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

constexpr size_t job_bytes_max = size_t{256} << 20;
constexpr size_t signed_bytes_max = size_t{1} << 20;
constexpr size_t events_bytes_max = size_t{256} << 20;
constexpr uint64_t look_ms = 100;

ByteView bytes_of(const std::string& text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

class RequesterProcess {
 public:
  explicit RequesterProcess(NodeMachine& machine)
      : machine_(machine),
        report_([this](const std::string& text, const json& event) { write_event(text, event); }) {}

  Result<void> run() {
    const std::string folder = machine_.folder() + "/";
    job_ = TRY(codec::decode<model::Job>(TRY(files_.read(folder + job_file_name, job_bytes_max))));
    model_.emplace(TRY(formats::Model::import(
        TRY(files_.read(folder + model_file_name, limits::onnx_bytes_max)))));
    events_ = std::fopen((folder + events_file_name).c_str(), "ae");
    if (events_ == nullptr) {
      return refuse(Code::io_failed, "the record of events cannot be written", {}, folder);
    }
    read_told(folder + events_file_name);
    const NodeFile& file = machine_.file();
    node_ = TRY(node::Requester::create({file.genesis,
                                         machine_.identity(),
                                         TRY(memory_of(job_)),
                                         node_secret(machine_.key(), "requester"),
                                         file.dry_run},
                                        job_,
                                        machine_.blobs(),
                                        machine_.store()));
    teller_.emplace(report_, job_.spec, node_->planner().operations(), clock_);
    teller_->watch(*node_,
                   {[this](const auto& key) { return name_of(key); },
                    [this](uint64_t height) { return block_at(height); }});
    start_ms_ = platform::Loop::now_ms();
    HostCallbacks callbacks;
    callbacks.on_tell = [this](uint64_t now_ms, const node::Notice& notice) {
      report_.at(now_ms - std::min(now_ms, start_ms_));
      on_notice(notice);
    };
    callbacks.on_ask = [this](const model::Transaction& asked) { ask(asked); };
    callbacks.on_store = [this](const std::optional<Error>& error) {
      report_.tell(error ? "store: " + error->message() : "store: works again",
                   "store",
                   {{"works", !error.has_value()}});
    };
    auto ran = machine_.run(
        *node_,
        [this]() -> const ledger::State& { return node_->ledger().state(); },
        std::move(callbacks));
    (void)std::fclose(events_);
    return ran;
  }

 private:
  /// What an earlier life has told is not told again; where it was cut off a new line begins.
  void read_told(const std::string& path) {
    const auto lines = files_.read(path, events_bytes_max);
    if (lines.ok()) {
      told_ =
          ToldLines(std::string_view(reinterpret_cast<const char*>(lines->data()), lines->size()));
    }
    if (told_.is_cut()) {
      (void)std::fputc('\n', events_);
    }
  }

  void write_event(const std::string& text, json event) {
    event["text"] = text;
    if (told_.is_repeat(event)) {
      return;
    }
    const std::string line = event.dump() + "\n";
    (void)std::fwrite(line.data(), 1, line.size(), events_);
    (void)std::fflush(events_);
  }

  [[nodiscard]] std::string name_of(const crypto::PublicKey& key) const {
    const auto known = machine_.file().names.find(key);
    return known != machine_.file().names.end() ? known->second
                                                : crypto::key_text(key).substr(0, 11);
  }

  [[nodiscard]] std::optional<model::Block> block_at(uint64_t height) const {
    auto blocks = node_->ledger().blocks(height, 1);
    return blocks.ok() && !blocks->empty() ? std::optional(std::move(blocks->front()))
                                           : std::nullopt;
  }

  void on_notice(const node::Notice& notice) {
    teller_->on_notice(notice);
    if (const auto* const failed = std::get_if<node::JobFailed>(&notice)) {
      end(failed->error);
    } else if (std::holds_alternative<node::JobOver>(notice)) {
      const auto done = finish();
      end(done.ok() ? std::nullopt : std::optional(done.error()));
    } else if (machine_.file().dry_run && std::holds_alternative<node::OffersRanked>(notice)) {
      end(std::nullopt);
    }
  }

  Result<void> finish() {
    const auto& finished = teller_->finished();
    if (!finished) {
      return refuse(Code::internal, "the job was settled without an end");
    }
    const std::string outputs = machine_.folder() + "/outputs";
    const JobEnd end{report_, job_, *model_, machine_.blobs(), files_, outputs};
    TRY(tell_results(end, *finished));
    teller_->tell_settlement();
    std::vector<model::Block> blocks;
    const uint64_t height = node_->ledger().height();
    while (blocks.size() < height) {
      constexpr size_t at_once = 64;
      auto more = TRY(node_->ledger().blocks(blocks.size() + 1, at_once));
      if (more.empty()) {
        return refuse(Code::internal, "a block of the ledger is missing");
      }
      std::move(more.begin(), more.end(), std::back_inserter(blocks));
    }
    TRY(write_receipt(end, machine_.file().genesis, blocks, node_->ledger().state(), *node_));
    return write_page_of_run(outputs);
  }

  Result<void> write_page_of_run(const std::string& outputs) {
    const Bytes lines =
        TRY(files_.read(machine_.folder() + "/" + events_file_name, events_bytes_max));
    const std::string page = write_page(record_of(std::string(lines.begin(), lines.end())));
    const std::string path = outputs + "/report.html";
    TRY(files_.write(path, bytes_of(page)));
    report_.aside("report: " + path, "report", {{"path", path}});
    return {};
  }

  /// Nothing follows: what came of the job is written down for good, and the process ends.
  void end(const std::optional<Error>& error) {
    json over = {{"ok", !error.has_value()}};
    if (error) {
      over["error"] = {{"code", static_cast<int>(error->code)},
                       {"where", error->where},
                       {"what", error->what},
                       {"next", error->next}};
    }
    const auto written =
        files_.write(machine_.folder() + "/" + over_file_name, bytes_of(over.dump() + "\n"));
    if (!written.ok()) {
      (void)std::fprintf(stderr, "%s\n", written.error().message().c_str());
    }
    machine_.loop().stop();
  }

  // ---- what the owner signs

  void ask(const model::Transaction& transaction) {
    asked_ = transaction;
    const ledger::State& state = node_->ledger().state();
    const auto nonce = state.nonces.find(machine_.file().owner);
    asked_nonce_ = nonce == state.nonces.end() ? 0 : nonce->second;
    const json written = {{"transaction", to_hex(codec::encode(transaction))},
                          {"nonce", asked_nonce_}};
    const std::string folder = machine_.folder() + "/";
    (void)files_.write(folder + ask_file_name, bytes_of(written.dump() + "\n"));
    report_.tell({}, "owner_asked", {{"file", ask_file_name}});
    look_for_signed();
  }

  void look_for_signed() {
    const auto found = read_signed();
    if (!found) {
      machine_.loop().call_after(look_ms, [this] { look_for_signed(); });
      return;
    }
    std::error_code error;
    fs::remove(machine_.folder() + "/" + ask_file_name, error);
    machine_.host().give_signed(*found);
  }

  /// What the owner signed, if it is what was asked.
  std::optional<model::Signed> read_signed() {
    const auto bytes = files_.read(machine_.folder() + "/" + signed_file_name, signed_bytes_max);
    const json read = bytes.ok() ? json::parse(*bytes, nullptr, false) : json();
    if (!read.is_object() || !read.value("signed", json()).is_string()) {
      return std::nullopt;
    }
    const auto raw = from_hex(read["signed"].get<std::string>());
    const auto made =
        raw.ok() ? codec::decode<model::Signed>(*raw) : Result<model::Signed>(raw.error());
    if (!made.ok() || !asked_ || made->body != codec::encode(*asked_) ||
        made->signer != machine_.file().owner || made->nonce != asked_nonce_) {
      return std::nullopt;
    }
    return *made;
  }

  NodeMachine& machine_;
  platform::Files files_;
  platform::Clock clock_;
  model::Job job_;
  std::optional<formats::Model> model_;
  std::FILE* events_ = nullptr;
  ToldLines told_;
  uint64_t start_ms_ = 0;
  Report report_;
  std::unique_ptr<node::Requester> node_;
  std::optional<Teller> teller_;
  std::optional<model::Transaction> asked_;
  uint64_t asked_nonce_ = 0;  // an earlier one may be used up
};

}  // namespace

Result<void> run_requester(NodeMachine& machine) {
  return RequesterProcess(machine).run();
}

}  // namespace lockstep::apps
