// Edit distance by three rows of the usual table, and the advice built on it.
#include "spec/suggest.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace lockstep::spec {
namespace {

constexpr size_t word_bytes_max = 64;  // longer words are no typing mistakes

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) {
    if (c >= 'A' && c <= 'Z') {
      c = static_cast<char>(c - 'A' + 'a');
    }
  }
  return result;
}

}  // namespace

size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> before(b.size() + 1);
  std::vector<size_t> above(b.size() + 1);
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) {
    row[j] = j;
  }
  for (size_t i = 1; i <= a.size(); ++i) {
    std::swap(before, above);
    std::swap(above, row);
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t replaced = above[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({replaced, above[j] + 1, row[j - 1] + 1});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], before[j - 2] + 1);
      }
    }
  }
  return row[b.size()];
}

std::optional<std::string_view> suggest(std::string_view word,
                                        std::span<const std::string_view> candidates) {
  if (word.empty() || word.size() > word_bytes_max) {
    return std::nullopt;
  }
  std::optional<std::string_view> nearest;
  size_t least = std::max<size_t>(1, word.size() / 3) + 1;
  for (const std::string_view candidate : candidates) {
    const size_t distance = edit_distance(lower(word), lower(candidate));
    if (distance < least) {
      least = distance;
      nearest = candidate;
    }
  }
  return nearest;
}

std::string advice(std::string_view word, std::span<const std::string_view> candidates) {
  if (const std::optional<std::string_view> nearest = suggest(word, candidates)) {
    return "did you mean \"" + std::string(*nearest) + "\"?";
  }
  std::string text = "write one of: ";
  for (const std::string_view candidate : candidates) {
    text += (candidate == candidates.front() ? "" : ", ") + std::string(candidate);
  }
  return text;
}

}  // namespace lockstep::spec
