// Job files: the defaults, every form a value may take, and every refusal with its exact place.
#include "spec/job_file.h"

#include <gtest/gtest.h>
#include <rapidcheck.h>

#include <bit>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "base/limits.h"
#include "spec/fields.h"

namespace lockstep::spec {
namespace {

using model::JobSpec;
using std::string;

// Three lines that make a whole job; tests add lines from the fourth on.
const string least =
    "model: net.onnx\n"
    "data:\n"
    "  {train_images: a, train_labels: b}\n";

JobSpec good(const string& text) {
  const Result<JobSpec> job = parse_job(text, "dir/job.yaml");
  EXPECT_TRUE(job.ok()) << text << "\n" << (job.ok() ? "" : job.error().message());
  return job.ok() ? *job : JobSpec{};
}

// Expects a refusal with this code at this "line:column", with a reason and a next step.
void refused(const string& text, Code code, const string& at, const string& says = "") {
  const Result<JobSpec> job = parse_job(text, "job.yaml");
  const string shown = text.substr(0, 400);
  ASSERT_FALSE(job.ok()) << shown;
  EXPECT_EQ(job.error().code, code) << job.error().message() << "\n" << shown;
  EXPECT_EQ(job.error().where, "job.yaml:" + at) << job.error().message() << "\n" << shown;
  EXPECT_FALSE(job.error().what.empty()) << shown;
  EXPECT_FALSE(job.error().next.empty()) << shown;
  EXPECT_NE(job.error().message().find(says), string::npos) << job.error().message();
}

void refused_line(const string& line, Code code, const string& at, const string& says = "") {
  refused(least + line + "\n", code, at, says);
}

TEST(JobFile, Defaults) {
  JobSpec expected;
  expected.name = "job";
  expected.model = "net.onnx";
  expected.data.train_images = "a";
  expected.data.train_labels = "b";
  const JobSpec job = good(least);
  EXPECT_EQ(job, expected);
  EXPECT_EQ(job.data.blob_images, 1000U);
  EXPECT_EQ(job.data.shuffle_seed, 0U);
  EXPECT_EQ(job.train.optimizer.momentum, 0.9F);
  EXPECT_EQ(job.train.lr.schedule, model::Schedule::warmup_cosine);
  EXPECT_EQ(job.train.lr.base, 0.05F);
  EXPECT_EQ(job.train.lr.warmup_steps, 60U);
  EXPECT_EQ(job.train.batch, 25U);
  EXPECT_EQ(job.train.rounds, 60U);
  EXPECT_EQ(job.train.lanes, 6U);
  EXPECT_EQ(job.train.local_steps, 40U);
  EXPECT_EQ(job.train.claim_every, 5U);
  EXPECT_EQ(job.train.seed, 0U);
  EXPECT_EQ(job.budget, std::nullopt);
  EXPECT_EQ(job.verify, (model::VerifySpec{model::VerifyKind::spot, 100'000, 0}));
  EXPECT_EQ(job.finality.kind, model::FinalityKind::automatic);
  EXPECT_EQ(job.outputs.weights, "model.safetensors");
}

TEST(JobFile, Everything) {
  const JobSpec job = good(
      "name: night-run.2\n"
      "model: \"models/net one.onnx\"\n"
      "data:\n"
      "  format: idx\n"
      "  train_images: a\n"
      "  train_labels: b\n"
      "  test_images: c\n"
      "  test_labels: d\n"
      "  blob_images: 500\n"
      "  shuffle: 18446744073709551615\n"
      "train:\n"
      "  loss: softmax_cross_entropy\n"
      "  optimizer: {name: sgd, momentum: 0}\n"
      "  lr: {schedule: constant, base: 1e-3}\n"
      "  batch: 5\n"
      "  rounds: 10000\n"
      "  lanes: 64\n"
      "  local_steps: 100\n"
      "  claim_every: 99\n"
      "  seed: 7\n"
      "resources: {cpus: 4, memory: \"2GB\", gpu: A100:2}\n"
      "budget: 12.5 LKS\n"
      "verify: replicate:3\n"
      "finality: 90m\n"
      "outputs: {weights: out/w.safetensors}\n");
  EXPECT_EQ(job.name, "night-run.2");
  EXPECT_EQ(job.model, "models/net one.onnx");
  EXPECT_EQ(job.data,
            (model::DataSpec{model::DataFormat::idx, "a", "b", "c", "d", 500, UINT64_MAX}));
  EXPECT_EQ(job.train.optimizer.momentum, 0.0F);
  EXPECT_EQ(job.train.lr, (model::LearningRateSpec{model::Schedule::constant, 1e-3F, 0}));
  EXPECT_EQ(job.train.batch, 5U);
  EXPECT_EQ(job.train.rounds, 10'000U);
  EXPECT_EQ(job.train.lanes, 64U);
  EXPECT_EQ(job.train.local_steps, 100U);
  EXPECT_EQ(job.train.claim_every, 99U);
  EXPECT_EQ(job.train.seed, 7U);
  EXPECT_EQ(job.resources, (model::ResourceSpec{4, 2'000'000'000, {2, "A100"}}));
  EXPECT_EQ(job.budget, Amount::from_nano(12'500'000'000));
  EXPECT_EQ(job.verify, (model::VerifySpec{model::VerifyKind::replicate, 0, 3}));
  EXPECT_EQ(job.finality, (model::FinalitySpec{model::FinalityKind::span, 5400}));
  EXPECT_EQ(job.outputs.weights, "out/w.safetensors");
}

TEST(JobFile, NameFromThePath) {
  const auto name = [](std::string_view path) { return parse_job(least, path).value().name; };
  EXPECT_EQ(name("examples/fashion.yaml"), "fashion");
  EXPECT_EQ(name("a.b.yml"), "a.b");
  EXPECT_EQ(name("C:\\jobs\\night run.yaml"), "night-run");
  EXPECT_EQ(name("plain"), "plain");
  EXPECT_EQ(name(".yaml"), "yaml");
  EXPECT_EQ(name(""), "job");
  EXPECT_EQ(name("dir/"), "job");
  EXPECT_EQ(name(string(300, 'x')), string(64, 'x'));
}

TEST(JobFile, ShortForms) {
  EXPECT_EQ(good(least + "train: {optimizer: sgd}\n").train.optimizer, model::OptimizerSpec{});
  EXPECT_EQ(good(least + "train: {lr: 0.1}\n").train.lr,
            (model::LearningRateSpec{model::Schedule::constant, 0.1F, 0}));
  EXPECT_EQ(good(least + "train: {lr: 1}\n").train.lr.base, 1.0F);
  EXPECT_EQ(good(least + "resources: {memory: 3GiB}\n").resources.memory_bytes, uint64_t{3} << 30);
  EXPECT_EQ(good(least + "resources: {gpu: any}\n").resources.gpu, (model::GpuSpec{1, "any"}));
  EXPECT_EQ(good(least + "resources: {gpu: none}\n").resources.gpu, model::GpuSpec{});
}

TEST(JobFile, DefaultsShrinkWithTheJob) {
  const JobSpec job = good(least + "train: {rounds: 2, local_steps: 3}\n");
  EXPECT_EQ(job.train.claim_every, 3U);
  EXPECT_EQ(job.train.lr.warmup_steps, 6U);
}

TEST(JobFile, Verify) {
  using model::VerifyKind;
  const auto verify = [](const string& word) { return good(least + "verify: " + word).verify; };
  EXPECT_EQ(verify("none"), (model::VerifySpec{VerifyKind::none, 0, 0}));
  EXPECT_EQ(verify("confirm"), (model::VerifySpec{VerifyKind::confirm, 0, 0}));
  EXPECT_EQ(verify("self"), (model::VerifySpec{VerifyKind::self, 0, 0}));
  EXPECT_EQ(verify("full"), (model::VerifySpec{VerifyKind::full, 1'000'000, 0}));
  EXPECT_EQ(verify("spot:1"), verify("full"));
  EXPECT_EQ(verify("spot:1.000000"), verify("full"));
  EXPECT_EQ(verify("spot:0.000001"), (model::VerifySpec{VerifyKind::spot, 1, 0}));
  EXPECT_EQ(verify("\"spot:0.25\""), (model::VerifySpec{VerifyKind::spot, 250'000, 0}));
  EXPECT_EQ(verify("replicate:16"), (model::VerifySpec{VerifyKind::replicate, 0, 16}));
  for (const string word :
       {"spot",      "spot:",       "spot:0",       "spot:0.0",       "spot:1.1",
        "spot:2",    "spot:.5",     "spot:0.",      "spot:0.0000001", "spot:0.1000000",
        "spot:1e-3", "spot:-0.1",   "spot:00.1",    "spot:0.1 ",      "spot: 0.1",
        "replicate", "replicate:1", "replicate:17", "replicate:02",   "replicate:-2",
        "full:1",    "none:",       "spott:0.1",    "Spot:0.1"}) {
    refused_line("verify: \"" + word + "\"", Code::out_of_range, "4:9");
  }
  refused_line("verify: ful", Code::out_of_range, "4:9", "did you mean \"full\"?");
  refused_line("verify: {spot: 0.1}", Code::wrong_type, "4:9");
}

TEST(JobFile, Finality) {
  const auto seconds = [](const string& span) {
    return good(least + "finality: " + span).finality.span_seconds;
  };
  EXPECT_EQ(good(least + "finality: job\n").finality.kind, model::FinalityKind::job);
  EXPECT_EQ(seconds("1s"), 1U);
  EXPECT_EQ(seconds("1h"), 3600U);
  EXPECT_EQ(seconds("30d"), 30U * 86'400);
  for (const string span :
       {"0s", "31d", "1w", "h", "1.5h", "01h", "-1h", "18446744073709551615d"}) {
    refused_line("finality: " + span, Code::out_of_range, "4:11");
  }
  refused_line("finality: 3600", Code::wrong_type, "4:11");
}

TEST(JobFile, FloatsAreTheNearestF32) {
  const auto bits = [](const string& number) {
    return std::bit_cast<uint32_t>(good(least + "train: {lr: " + number + "}\n").train.lr.base);
  };
  EXPECT_EQ(bits("0.05"), 0x3D4CCCCDU);
  // Just above the middle of 1 and its successor: through f64 it would round down to 1.
  EXPECT_EQ(bits("1.000000059604644775390625000000001"), 0x3F800001U);
  EXPECT_EQ(bits("1.000000059604644775390625"), 0x3F800000U);  // the middle itself, to even
  EXPECT_EQ(bits("1e-45"), 1U);                                // the least subnormal
  EXPECT_EQ(bits("5E+1"), 0x42480000U);
}

TEST(JobFile, LineEndsAndByteOrderMark) {
  string windows = "\xEF\xBB\xBF" + least + "budget: 1 LKS\n";
  for (size_t at = windows.find('\n'); at != string::npos; at = windows.find('\n', at + 2)) {
    windows.insert(at, "\r");
  }
  EXPECT_EQ(good(windows).budget, Amount::from_nano(1'000'000'000));
  refused(windows + "nmae: x\r\n", Code::unknown_key, "5:1");
  refused("\xEF\xBB\xBFnmae: x\n", Code::unknown_key, "1:1");
  EXPECT_EQ(good("---\n" + least).name, "job");
}

TEST(JobFile, ColumnsCountCharacters) {
  refused_line("outputs: {\"wéights\": x}", Code::unknown_key, "4:11", "did you mean \"weights\"?");
  refused("{model: é.onnx, nmae: x}", Code::unknown_key, "1:17");
}

TEST(JobFile, UnknownKeys) {
  refused_line("nmae: x", Code::unknown_key, "4:1", "did you mean \"name\"?");
  refused_line("accelerators: x", Code::unknown_key, "4:1", "write one of: name, model, data");
  refused_line("train:\n  batch: 5\n  local_step: 3", Code::unknown_key, "6:3", "\"local_steps\"");
  refused_line("train: {optimizer: {momentun: 0.9}}", Code::unknown_key, "4:21");
  refused_line("train: {lr: {warm_up: 3}}", Code::unknown_key, "4:14", "\"warmup\"");
  refused_line("resources: {cpu: 3}", Code::unknown_key, "4:13", "\"cpus\"");
  refused_line("outputs: {weight: 3}", Code::unknown_key, "4:11", "\"weights\"");
  refused("model: a.onnx\ndata: {train_image: a}", Code::unknown_key, "2:8", "\"train_images\"");
  refused_line("<<: {name: x}", Code::unknown_key, "4:1");
  refused_line("\"na\\nme\": x", Code::unknown_key, "4:1", "\"na?me\"");
}

TEST(JobFile, DuplicateKeys) {
  refused_line("model: b.onnx", Code::duplicate_key, "4:1", "job.yaml:1:1");
  refused_line("train:\n  batch: 1\n  batch: 1", Code::duplicate_key, "6:3", "job.yaml:5:3");
  refused_line("\"model\": b.onnx", Code::duplicate_key, "4:1");
  refused_line("nope: {a: 1}\nnope: 2", Code::unknown_key, "4:1");  // the first mistake counts
}

TEST(JobFile, MissingKeys) {
  refused("", Code::missing_key, "1:1");
  refused("# nothing\n", Code::missing_key, "1:1");
  refused("---\n", Code::missing_key, "1:1");
  refused("\nname: x\n", Code::missing_key, "2:1", "\"model\"");
  refused("model: a.onnx\n", Code::missing_key, "1:1", "\"data\"");
  refused("model: a.onnx\ndata: {}\n", Code::missing_key, "2:7", "\"train_images\"");
  refused(
      "model: a.onnx\ndata:\n  train_images: a\n", Code::missing_key, "3:3", "\"train_labels\"");
  refused("model: a.onnx\ndata: {train_images: a, train_labels: b, test_labels: c}\n",
          Code::missing_key,
          "2:7",
          "\"test_images\"");
}

TEST(JobFile, WrongTypes) {
  refused("just text\n", Code::wrong_type, "1:1");
  refused("- model: a.onnx\n", Code::wrong_type, "1:1");
  refused("model: [a.onnx]\n", Code::wrong_type, "1:8");
  refused("model: 5\n", Code::wrong_type, "1:8", "the number \"5\"");
  refused("model: true\n", Code::wrong_type, "1:8", "the truth value \"true\"");
  refused("model:\ndata: {}\n", Code::wrong_type, "1:1", "nothing");
  refused("model: ~\n", Code::wrong_type, "1:1", "nothing");
  refused("model: a.onnx\ndata: files\n", Code::wrong_type, "2:7");
  refused("model: a.onnx\ndata:\n", Code::wrong_type, "2:1");
  refused_line("name: 1e5", Code::wrong_type, "4:7");
  refused_line("train: fast", Code::wrong_type, "4:8");
  refused_line("train: {batch: \"5\"}", Code::wrong_type, "4:16", "the text \"5\"");
  for (const string number :
       {"5.0", "010", "0x10", "1_000", "+5", "1e3", "five", "[5]", "{a: 5}", "5 5"}) {
    refused_line("train: {batch: " + number + "}", Code::wrong_type, "4:16");
  }
  for (const string number : {".5",
                              "5.",
                              "0x1p3",
                              ".inf",
                              ".nan",
                              "nan",
                              "inf",
                              "+0.1",
                              "0,1",
                              "00.1",
                              "1e",
                              "1e+",
                              "\"0.1\"",
                              "0.1f"}) {
    refused_line("train:\n  lr:\n    base: " + number, Code::wrong_type, "6:11");
  }
  refused_line("train: {optimizer: 5}", Code::wrong_type, "4:20");
  refused_line("train: {lr: fast}", Code::wrong_type, "4:13");
  refused_line("resources: {memory: 2}", Code::wrong_type, "4:21");
  for (const string money : {"10", "ten LKS", "10 EUR", "1.0000000001 LKS", "[10 LKS]"}) {
    refused_line("budget: " + money, Code::wrong_type, "4:9", "with its currency");
  }
  refused_line("budget:", Code::wrong_type, "4:1");
  refused_line("outputs: model.safetensors", Code::wrong_type, "4:10");
}

TEST(JobFile, Ranges) {
  const auto train = [](const string& fields, const string& at) {
    refused_line("train: {" + fields + "}", Code::out_of_range, at);
  };
  train("batch: 0", "4:16");
  train("batch: -1", "4:16");
  train("batch: 1000001", "4:16");
  train("batch: 99999999999999999999999", "4:16");
  train("rounds: 0", "4:17");
  train("rounds: 10001", "4:17");
  train("lanes: 0", "4:16");
  train("lanes: 65", "4:16");
  train("local_steps: 0", "4:22");
  train("local_steps: 101", "4:22");
  train("claim_every: 0", "4:22");
  train("claim_every: 40", "4:22");
  train("seed: 18446744073709551616", "4:15");
  train("loss: mse", "4:15");
  train("optimizer: adam", "4:20");
  train("optimizer: {name: sdg}", "4:27");
  train("optimizer: {momentum: 1}", "4:31");
  train("optimizer: {momentum: -0.1}", "4:31");
  train("optimizer: {momentum: 0.99999999}", "4:31");  // 1 as a 32-bit float
  train("lr: 0", "4:13");
  train("lr: -0.1", "4:13");
  train("lr: 1000.1", "4:13");
  train("lr: 1e39", "4:13");
  train("lr: 1e-60", "4:13");
  train("lr: 1e999999999999", "4:13");
  train("lr: {schedule: linear}", "4:24");
  train("lr: {base: 0}", "4:20");
  train("lr: {warmup: 2401}", "4:22");
  train("lr: {schedule: constant, warmup: 1}", "4:42");
  for (const string memory : {"2", "2gb", "0GB", "GB", "2.5GB", "-2GB", "99999999TB", "2 GB"}) {
    refused_line("resources: {memory: \"" + memory + "\"}", Code::out_of_range, "4:21");
  }
  for (const string gpu : {"A100:0", "A100:65", "none:1", ":1", "A 100", "A100:", "A100:1:1"}) {
    refused_line("resources: {gpu: \"" + gpu + "\"}", Code::out_of_range, "4:18");
  }
  refused_line("resources: {cpus: 0}", Code::out_of_range, "4:19");
  refused_line("resources: {cpus: 1025}", Code::out_of_range, "4:19");
  refused_line("budget: 0 LKS", Code::out_of_range, "4:9");
  refused_line("budget: -1 LKS", Code::out_of_range, "4:9");
  refused_line("budget: 9999999999 LKS", Code::out_of_range, "4:9");
  refused_line("outputs: {weights: w.bin}", Code::out_of_range, "4:20");
  refused_line("outputs: {weights: .safetensors}", Code::out_of_range, "4:20");
  for (const string name : {"a b", "../x", ".x", "-x", "é", "", "a/b"}) {
    refused_line("name: \"" + name + "\"", Code::out_of_range, "4:7");
  }
  refused_line("name: " + string(65, 'a'), Code::out_of_range, "4:7");
  refused("model: net.pt\n", Code::out_of_range, "1:8");
  refused("model: \"a\\0.onnx\"\n", Code::out_of_range, "1:8", "a control character");
  refused("model: " + string(4096, 'a') + ".onnx\n", Code::out_of_range, "1:8");
  const string data = "model: a.onnx\ndata: {train_images: a, train_labels: b, ";
  refused(data + "blob_images: 0}", Code::out_of_range, "2:55");
  refused(data + "blob_images: 1000001}", Code::out_of_range, "2:55");
  refused(data + "format: csv}", Code::out_of_range, "2:50");
  refused(data + "shuffle: -1}", Code::out_of_range, "2:51");
}

TEST(JobFile, OneBlobHoldsATask) {
  const string says = "batch x local_steps";
  refused_line("train: {batch: 26}", Code::out_of_range, "4:16", says);
  refused_line("train: {local_steps: 41}", Code::out_of_range, "4:22", says);
  refused_line("train: {local_steps: 50, batch: 21}", Code::out_of_range, "4:22", says);
  refused("model: a.onnx\ndata: {train_images: a, train_labels: b, blob_images: 999}",
          Code::out_of_range,
          "2:55",
          says);
  EXPECT_EQ(good(least + "train: {batch: 10, local_steps: 100}\n").train.local_steps, 100U);
}

TEST(JobFile, Characters) {
  refused_line("train:\n\tbatch: 5", Code::bad_yaml, "5:1", "a tab");
  refused_line("name: a\tb", Code::bad_yaml, "4:8", "a tab");
  refused_line("# a comment\t", Code::bad_yaml, "4:12", "a tab");
  refused(least + "name: a" + string(1, '\0') + "b", Code::bad_yaml, "4:8", "a control character");
  refused_line("name: a\x04", Code::bad_yaml, "4:8", "a control character");
  refused_line("name: a\x7F", Code::bad_yaml, "4:8", "a control character");
  refused_line("name: a\rb", Code::bad_yaml, "4:8", "a control character");
  for (const string bytes : {"\x80",
                             "\xC0\xAF",
                             "\xC3",
                             "\xE0\x80\x80",
                             "\xED\xA0\x80",
                             "\xF0\x80\x80\x80",
                             "\xF4\x90\x80\x80",
                             "\xF5\x80\x80\x80",
                             "\xFF\xFE",
                             "\xE2\x82",
                             "\xF0\x9F\x98"}) {
    std::string line = "# é";
    line += bytes;
    refused_line(line, Code::bad_yaml, "4:4", "UTF-8");
    std::string file = least;
    file += line;
    refused(file, Code::bad_yaml, "4:4", "UTF-8");
  }
  EXPECT_EQ(good(least + "# \xF0\x9F\x98\x80 \xEF\xBF\xBD \xED\x9F\xBF\n").name, "job");
}

TEST(JobFile, OnlyPlainData) {
  refused_line("name: &a x", Code::bad_yaml, "4:7", "an anchor");
  refused_line("name: *a", Code::bad_yaml, "4:7", "an alias");
  refused_line("train: &t {batch: 5}", Code::bad_yaml, "4:8", "an anchor");
  refused_line("name: !!str 5", Code::bad_yaml, "4:7", "a YAML tag");
  refused_line("train: !x {batch: 5}", Code::bad_yaml, "4:8", "a YAML tag");
  refused_line("train: {batch: !!int 5}", Code::bad_yaml, "4:16", "a YAML tag");
  refused("%YAML 1.2\n---\n" + least, Code::bad_yaml, "1:1", "directive");
  refused_line("---\nmodel: b.onnx", Code::bad_yaml, "4:1", "second document");
  refused_line("? [a]\n: b", Code::bad_yaml, "4:3", "a key that is a list");
  refused_line("? {a: b}\n: b", Code::bad_yaml, "4:3", "a key that is a list");
  refused_line("~: b", Code::bad_yaml, "4:1", "a key without a name");
}

TEST(JobFile, NotYaml) {
  refused_line("name: \"a", Code::bad_yaml, "4:7", "never closed");
  refused_line("name: 'it''s", Code::bad_yaml, "4:7", "never closed");
  refused_line("name: \"a\\\"", Code::bad_yaml, "4:7", "never closed");
  refused(least + "name: \"a", Code::bad_yaml, "4:9", "not YAML");
  refused_line("name: |\n  a", Code::bad_yaml, "4:7", "block text");
  refused_line("name: ! a", Code::bad_yaml, "4:7", "a YAML tag");
  refused_line("name: - 1", Code::bad_yaml, "4:7", "not YAML");
  refused_line("name: a: b", Code::bad_yaml, "4:8", "not YAML");
  refused_line("train: {batch: 5", Code::bad_yaml, "5:1", "not YAML");
  refused_line("train: ]", Code::bad_yaml, "4:8", "not YAML");
  refused_line("name: \"\\q\"", Code::bad_yaml, "4:10", "not YAML");
  refused_line("name: @x", Code::bad_yaml, "4:7", "not YAML");
}

string repeat(const string& part, size_t times) {
  string text;
  for (size_t i = 0; i < times; ++i) {
    text += part;
  }
  return text;
}

TEST(JobFile, DepthIsBounded) {
  // The map and fifteen lists are sixteen levels; the next bracket is one too many.
  refused("model: " + string(15, '[') + string(15, ']'), Code::wrong_type, "1:8");
  refused("model: " + string(16, '[') + string(16, ']'), Code::bad_yaml, "1:23", "16 levels");
  const size_t many = 400'000;
  refused(string(many, '['), Code::bad_yaml, "1:1", "never closed");
  refused(repeat("{a: ", many / 4), Code::bad_yaml, "1:1", "never closed");
  refused(repeat("{a: ", 17) + "1" + string(17, '}'), Code::bad_yaml, "1:65", "16 levels");
  refused(repeat("- ", many / 4), Code::bad_yaml, "1:33", "16 levels");
  refused(repeat("? ", many / 4), Code::bad_yaml, "1:3", "a key that is a list or a map");
  string deep;
  for (size_t i = 0; i < 1000; ++i) {
    deep += string(i, ' ') + "a:\n";
  }
  refused(deep, Code::bad_yaml, "17:17", "16 levels");
}

TEST(JobFile, SizeIsBounded) {
  const string filler = least + "# ";
  const size_t left = limits::job_file_bytes_max - filler.size();
  EXPECT_EQ(good(filler + string(left, 'x')).name, "job");
  refused(filler + string(left + 1, 'x'), Code::out_of_range, "1:1", "1048576 bytes");
  refused("model: [" + repeat("a, ", 300'000) + "]", Code::bad_yaml, "1:3075", "1024 values");
  refused(repeat("k: v\n", 200'000), Code::bad_yaml, "1024:4", "1024 values");
}

TEST(JobFile, HostileTextIsCutInMessages) {
  const Result<JobSpec> job = parse_job(least + string(900, 'k') + "é: 1\n", "job.yaml");
  ASSERT_FALSE(job.ok());
  EXPECT_EQ(job.error().code, Code::unknown_key);
  EXPECT_LT(job.error().message().size(), 300U);
}

TEST(JobFile, NoTextBreaksIt) {
  // Short texts of the characters that steer YAML: each is read or refused with a place.
  EXPECT_TRUE(rc::check([] {
    const string text =
        *rc::gen::container<string>(rc::gen::elementOf(string("{}[],:?-&*!|>'\"%@` \n#~ab01.")));
    const Result<JobSpec> job = parse_job(text, "f");
    RC_ASSERT(!job.ok());
    RC_ASSERT(job.error().where.starts_with("f:"));
    RC_ASSERT(!job.error().is_fault());
  }));
}

TEST(JobFile, TheExampleIsTheDefaultJob) {
  const string path = "examples/fashion-mnist/job.yaml";
  const string root = string(__FILE__).substr(0, string(__FILE__).rfind("src/spec/"));
  std::ifstream file(root + path);
  ASSERT_TRUE(file.good()) << root + path;
  const string text{std::istreambuf_iterator<char>(file), {}};
  const JobSpec job = parse_job(text, path).value();
  EXPECT_EQ(job.name, "fashion-mnist");
  EXPECT_EQ(job.model, "model.onnx");
  EXPECT_EQ(job.train, model::TrainSpec{});
  EXPECT_EQ(job.verify, model::VerifySpec{});
  EXPECT_EQ(job.budget->print(), "25 LKS");
  EXPECT_EQ(job.data.blob_images, 1000U);
}

TEST(JobFile, AKindKeepsItsOwnSectionAsItIsWritten) {
  EXPECT_EQ(good(least + "kind: train\n"), good(least));
  const string text = least + "kind: sweep\nsweep: {lr: [1, x], nobody: {knows: this}}\n";
  const JobSpec job = good(text);
  EXPECT_EQ(job.kind, model::JobKind::sweep);
  EXPECT_EQ(job.train, model::TrainSpec());
  EXPECT_EQ(job.file.text, text);
  EXPECT_TRUE(model::is_whole(job.file));
  const Fields file = Fields::of_file(job.file);
  EXPECT_EQ(file.kind("sweep"), YamlKind::map);
  EXPECT_TRUE(file.has("model"));
  EXPECT_TRUE(good(least).file.values.empty()) << "nothing is left of a training job's";

  refused_line("kind: sweep", Code::missing_key, "1:1", "\"sweep\"");
  refused_line("kind: swep", Code::out_of_range, "4:7", "did you mean \"sweep\"?");
  refused_line("sweep: {lr: [1, 2]}", Code::unknown_key, "4:8", "`kind: sweep`");
  refused_line("train: {}\nkind: sweep\nsweep: {}", Code::unknown_key, "4:8", "\"sweep\"");
}

TEST(Fields, ReadsListsOfNumbers) {
  const YamlTree tree = parse_yaml("a: [1, -2.5e1]\nb: [1, x]\nc: 1\nd: []\n", "f").value();
  const Fields map = Fields::of_file(tree);
  std::vector<WrittenNumber> out = {{"7", 7}};
  EXPECT_TRUE(map.numbers("none", 2, out).ok());
  EXPECT_EQ(out.size(), 1U) << "an absent list leaves what was there";
  ASSERT_TRUE(map.numbers("a", 2, out).ok());
  ASSERT_EQ(out.size(), 2U);
  EXPECT_EQ(out[1].text, "-2.5e1");
  EXPECT_EQ(out[1].value, -25.0F);
  EXPECT_EQ(map.numbers("a", 1, out).error().code, Code::out_of_range);
  EXPECT_EQ(map.numbers("b", 2, out).error().where, "f:2:8");
  EXPECT_EQ(map.numbers("c", 2, out).error().code, Code::wrong_type);
  EXPECT_EQ(map.numbers("d", 2, out).error().where, "f:4:4");
  EXPECT_EQ(out.size(), 2U) << "nor does a refused one";
  EXPECT_EQ(map.bad_item(Code::wrong_type, "a", 1, "x").where, "f:1:8");
  EXPECT_EQ(map.bad_item(Code::wrong_type, "a", 2, "x").where, "f:1:4") << "no such entry";
  const YamlTree none = parse_yaml("", "f").value();
  EXPECT_FALSE(Fields::of_file(none).has("a"));
}

}  // namespace
}  // namespace lockstep::spec
