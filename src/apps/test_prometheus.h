// For tests only: a reader of the Prometheus text format that takes nothing but what the format
// (0.0.4) has, and what its makers ask of names; and a client that asks a node for its page.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <set>
#include <string>

#include "platform/test_http_client.h"

namespace lockstep::apps {

class PrometheusPage {
 public:
  /// Every line is checked: what is wrong is a failure of the test.
  explicit PrometheusPage(const std::string& text) {
    EXPECT_TRUE(text.ends_with('\n'));
    size_t begin = 0;
    while (begin < text.size()) {
      const size_t end = std::min(text.find('\n', begin), text.size());
      read_line(text.substr(begin, end - begin));
      begin = end + 1;
    }
    check_family();
  }
  /// Of a sample as it is written: NAME, or NAME{label="value",...}. Absent: -1 and a failure.
  [[nodiscard]] double at(const std::string& sample) const {
    const auto found = samples_.find(sample);
    EXPECT_NE(found, samples_.end()) << "there is no " << sample;
    return found == samples_.end() ? -1 : found->second;
  }
  [[nodiscard]] bool has(const std::string& sample) const { return samples_.contains(sample); }
  [[nodiscard]] size_t size() const { return samples_.size(); }
  /// Of the page's counters none is smaller than before.
  void expect_after(const PrometheusPage& before) const {
    for (const auto& [sample, value] : before.samples_) {
      if (counters_.contains(sample)) {
        EXPECT_GE(at(sample), value) << sample;
      }
    }
  }

 private:
  static bool is_name(const std::string& name) {
    constexpr const char* letters = "abcdefghijklmnopqrstuvwxyz_";
    return !name.empty() && std::string(letters).find(name.front()) != std::string::npos &&
           name.find_first_not_of(std::string(letters) + "0123456789") == std::string::npos;
  }
  void read_line(const std::string& line) {
    SCOPED_TRACE(line);
    EXPECT_FALSE(line.empty());
    EXPECT_EQ(line.find('\r'), std::string::npos);
    if (line.starts_with("# HELP ")) {
      check_family();
      const size_t space = line.find(' ', 7);
      family_ = line.substr(7, space - 7);
      EXPECT_TRUE(is_name(family_));
      EXPECT_TRUE(families_.insert(family_).second) << "twice";
      ASSERT_NE(space, std::string::npos);
      check_escapes(line.substr(space + 1), "\\n");
    } else if (line.starts_with("# TYPE ")) {
      EXPECT_TRUE(type_.empty());
      const std::string head = "# TYPE " + family_ + " ";
      ASSERT_TRUE(line.starts_with(head));
      type_ = line.substr(head.size());
      EXPECT_TRUE(type_ == "counter" || type_ == "gauge" || type_ == "histogram");
      EXPECT_EQ(type_ == "counter", family_.ends_with("_total"));
    } else {
      read_sample(line);
    }
  }
  static void check_escapes(const std::string& text, const std::string& allowed) {
    for (size_t i = 0; i < text.size(); ++i) {
      if (text[i] == '\\') {
        ++i;
        EXPECT_TRUE(i < text.size() && allowed.find(text[i]) != std::string::npos);
      }
    }
  }
  void read_sample(const std::string& line) {
    EXPECT_FALSE(type_.empty()) << "a sample before its type";
    size_t at = line.find_first_of("{ ");
    ASSERT_NE(at, std::string::npos);
    const std::string name = line.substr(0, at);
    ASSERT_TRUE(name.starts_with(family_));
    const std::string suffix = name.substr(family_.size());
    EXPECT_EQ(!suffix.empty(), type_ == "histogram");
    EXPECT_TRUE(suffix.empty() || suffix == "_bucket" || suffix == "_sum" || suffix == "_count");
    if (line[at] == '{') {
      at = read_labels(line, at + 1);
    }
    ASSERT_TRUE(at < line.size() && line[at] == ' ');
    const double value = read_value(line.substr(at + 1));
    const std::string sample = line.substr(0, at);
    EXPECT_TRUE(samples_.emplace(sample, value).second) << "twice";
    if (type_ != "gauge") {
      EXPECT_GE(value, 0);
      counters_.insert(sample);
    }
    if (suffix == "_bucket") {
      EXPECT_GE(value, bucket_);
      bucket_ = value;
    }
    ++count_;
  }
  /// Where it stands after the closing brace.
  static size_t read_labels(const std::string& line, size_t at) {
    while (at < line.size()) {
      const size_t equals = line.find("=\"", at);
      EXPECT_TRUE(equals != std::string::npos && is_name(line.substr(at, equals - at)));
      size_t end = std::min(equals, line.size() - 2) + 2;
      const size_t begin = end;
      while (end < line.size() && line[end] != '"') {
        end += line[end] == '\\' ? 2 : 1;
      }
      check_escapes(line.substr(begin, end - begin), "\\\"n");
      at = end + 1;
      if (at >= line.size() || line[at] != ',') {
        EXPECT_TRUE(at < line.size() && line[at] == '}');
        return at + 1;
      }
      ++at;
    }
    return at;
  }
  static double read_value(const std::string& text) {
    char* end = nullptr;
    const double value = std::strtod(text.c_str(), &end);
    EXPECT_FALSE(text.empty());
    EXPECT_EQ(text.find_first_not_of("0123456789.e+-"), std::string::npos);
    EXPECT_EQ(*end, '\0');
    return value;
  }
  /// At the end of a family.
  void check_family() {
    if (!family_.empty()) {
      EXPECT_FALSE(type_.empty()) << family_;
      EXPECT_GT(count_, 0U) << family_;
    }
    if (type_ == "histogram") {
      EXPECT_EQ(at(family_ + "_bucket{le=\"+Inf\"}"), at(family_ + "_count"));
    }
    type_.clear();
    bucket_ = 0;
    count_ = 0;
  }

  std::string family_, type_;
  size_t count_ = 0;  // samples of the family
  double bucket_ = 0;
  std::set<std::string> families_, counters_;
  std::map<std::string, double> samples_;
};

/// The body of a node's page of metrics.
inline std::string ask_metrics(uint16_t port) {
  const std::string answer = platform::test_ask(
      port, "GET /metrics HTTP/1.1\r\nHost: localhost\r\nAccept: text/plain\r\n\r\n");
  EXPECT_TRUE(answer.starts_with("HTTP/1.1 200 OK\r\n")) << answer.substr(0, 200);
  EXPECT_NE(answer.find("\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"),
            std::string::npos);
  const size_t end = answer.find("\r\n\r\n");
  return end == std::string::npos ? std::string() : answer.substr(end + 4);
}

}  // namespace lockstep::apps
