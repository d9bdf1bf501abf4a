// Calls the kernels of the host build as a script says, on processors that have no Python here:
//   kernel_calls <script>
// Every line is a call: OP TYPE PROBLEM INPUTS OUTPUTS. TYPE is a DataType, PROBLEM the ints of the
// op's problem struct, INPUTS files, and OUTPUTS <file>:<bytes>; lists have commas between.
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "../../c_api/kernels.h"

extern "C" const char* segpp_last_finding() noexcept;

namespace {

constexpr std::size_t kAlignment = 256;  // what cudaMalloc gives

struct Free {
  void operator()(void* memory) const { std::free(memory); }
};
using Buffer = std::unique_ptr<void, Free>;

Buffer allocate(std::size_t size) {
  const std::size_t whole = (size / kAlignment + 1) * kAlignment;
  Buffer memory(std::aligned_alloc(kAlignment, whole));
  if (!memory) throw std::bad_alloc();
  std::memset(memory.get(), 0xA5, whole);  // as if used before
  return memory;
}

struct Call {
  int type;
  std::vector<int> problem;
  std::vector<Buffer> inputs;
  std::vector<Buffer> outputs;

  template <class Problem>
  Problem as() const {
    Problem result;
    if (sizeof(result) != problem.size() * sizeof(int)) throw std::runtime_error("another problem");
    std::memcpy(&result, problem.data(), sizeof(result));
    return result;
  }
  template <class T = void>
  const T* input(std::size_t index) const {
    return static_cast<const T*>(inputs.at(index).get());
  }
  template <class T = void>
  T* output(std::size_t index) const {
    return static_cast<T*>(outputs.at(index).get());
  }
};

constexpr int kSlot = 0;  // calls run one after the other

int token_match(const Call& call) {
  const auto problem = call.as<segpp::TokenMatchProblem>();
  const Buffer workspace = allocate(segpp_token_match_workspace_size(&problem));
  return segpp_token_match(&problem, call.type, call.input(0), call.output<std::int32_t>(0),
                           workspace.get(), kSlot, nullptr);
}

int token_match_merge(const Call& call) {
  const auto problem = call.as<segpp::TokenMatchProblem>();
  const Buffer workspace = allocate(segpp_token_match_merge_workspace_size(&problem));
  return segpp_token_match_merge(&problem, call.type, call.input(0), call.output<std::int32_t>(0),
                                 call.output(1), call.output<float>(2), workspace.get(), kSlot,
                                 nullptr);
}

int token_merge(const Call& call) {
  const auto problem = call.as<segpp::TokenMergeProblem>();
  const Buffer workspace = allocate(segpp_token_merge_workspace_size(&problem));
  return segpp_token_merge(&problem, call.type, call.input(0), call.input<std::int32_t>(1),
                           call.output(0), workspace.get(), nullptr);
}

int token_merge_with_size(const Call& call) {
  const auto problem = call.as<segpp::TokenMergeProblem>();
  const Buffer workspace = allocate(segpp_token_merge_with_size_workspace_size(&problem));
  return segpp_token_merge_with_size(&problem, call.type, call.input(0),
                                     call.input<std::int32_t>(1), call.output(0),
                                     call.output<float>(1), workspace.get(), nullptr);
}

int token_unmerge(const Call& call) {
  const auto problem = call.as<segpp::TokenUnmergeProblem>();
  return segpp_token_unmerge(&problem, call.type, call.input(0), call.input<std::int32_t>(1),
                             call.input(2), call.output(0), nullptr);
}

int upsample_argmax(const Call& call) {
  const auto problem = call.as<segpp::UpsampleArgmaxProblem>();
  return segpp_upsample_argmax(&problem, call.type, call.input(0),
                               static_cast<int>(segpp::LabelType::kUint8), call.output(0), nullptr);
}

const std::map<std::string, int (*)(const Call&)> kOps = {
    {"token_match", token_match},     {"token_match_merge", token_match_merge},
    {"token_merge", token_merge},     {"token_merge_with_size", token_merge_with_size},
    {"token_unmerge", token_unmerge}, {"upsample_argmax", upsample_argmax},
};

std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  std::istringstream stream(text);
  for (std::string part; std::getline(stream, part, separator);) parts.push_back(part);
  return parts;
}

Buffer read_file(const std::string& path) {
  std::ifstream stream(path, std::ios::binary);
  if (!stream) throw std::runtime_error("cannot read " + path);
  const std::string content(std::istreambuf_iterator<char>(stream), {});
  Buffer memory = allocate(content.size());
  std::memcpy(memory.get(), content.data(), content.size());
  return memory;
}

void run_line(const std::string& line) {
  const std::vector<std::string> words = split(line, ' ');
  Call call;
  call.type = std::stoi(words.at(1));
  for (const std::string& word : split(words.at(2), ',')) call.problem.push_back(std::stoi(word));
  for (const std::string& path : split(words.at(3), ',')) call.inputs.push_back(read_file(path));
  const std::vector<std::string> outputs = split(words.at(4), ',');
  for (const std::string& output : outputs) {
    call.outputs.push_back(allocate(std::stoul(split(output, ':').at(1))));
  }
  if (kOps.at(words.at(0))(call) != 0) throw std::runtime_error(segpp_last_finding());
  for (std::size_t index = 0; index < outputs.size(); ++index) {
    const std::vector<std::string> parts = split(outputs[index], ':');
    std::ofstream stream(parts[0], std::ios::binary);
    stream.write(call.output<char>(index), static_cast<std::streamsize>(std::stoul(parts[1])));
    if (!stream) throw std::runtime_error("cannot write " + parts[0]);
  }
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 2) {
    std::fprintf(stderr, "usage: %s SCRIPT\n", arguments[0]);
    return 2;
  }
  std::ifstream script(arguments[1]);
  for (std::string line; std::getline(script, line);) {
    try {
      run_line(line);
    } catch (const std::exception& error) {
      std::fprintf(stderr, "%s: %s\n", line.c_str(), error.what());
      return 1;
    }
  }
  return script.eof() ? 0 : 1;
}
