// Generated from segpp_deploy/ops by generate.py: do not edit.
#pragma once

#include "op_declaration.h"

namespace segpp::declarations {

inline constexpr char kDomain[] = "segpp";
inline constexpr char kPluginVersion[] = "1";

// clang-format off
inline constexpr std::string_view kTokenMatchTokensExtents[] = {"B", "N", "C"};
inline constexpr std::string_view kTokenMatchRowOfTokenExtents[] = {"B", "N"};
inline constexpr TensorDeclaration kTokenMatchInputs[] = {{"tokens", ElementType::kFloat, kTokenMatchTokensExtents, false}};
inline constexpr const char* kTokenMatchAttributes[] = {"grid_h", "grid_w", "stride_y", "stride_x", "num_removed"};
inline constexpr OpDeclaration kTokenMatch = {"TokenMatch", kTokenMatchInputs, {"row_of_token", ElementType::kInt32, kTokenMatchRowOfTokenExtents, false}, kTokenMatchAttributes};
// clang-format on

// clang-format off
inline constexpr std::string_view kTokenMergeTokensExtents[] = {"B", "N", "C"};
inline constexpr std::string_view kTokenMergeRowOfTokenExtents[] = {"B", "N"};
inline constexpr std::string_view kTokenMergeMergedExtents[] = {"B", "num_rows", "C"};
inline constexpr TensorDeclaration kTokenMergeInputs[] = {{"tokens", ElementType::kFloat, kTokenMergeTokensExtents, false}, {"row_of_token", ElementType::kInt32, kTokenMergeRowOfTokenExtents, false}};
inline constexpr const char* kTokenMergeAttributes[] = {"num_rows"};
inline constexpr OpDeclaration kTokenMerge = {"TokenMerge", kTokenMergeInputs, {"merged", ElementType::kFloat, kTokenMergeMergedExtents, false}, kTokenMergeAttributes};
// clang-format on

// clang-format off
inline constexpr std::string_view kTokenUnmergeRowsExtents[] = {"B", "M", "C"};
inline constexpr std::string_view kTokenUnmergeRowOfTokenExtents[] = {"B", "N"};
inline constexpr std::string_view kTokenUnmergeResidualExtents[] = {"B", "N", "C"};
inline constexpr std::string_view kTokenUnmergeRestoredExtents[] = {"B", "N", "C"};
inline constexpr TensorDeclaration kTokenUnmergeInputs[] = {{"rows", ElementType::kFloat, kTokenUnmergeRowsExtents, false}, {"row_of_token", ElementType::kInt32, kTokenUnmergeRowOfTokenExtents, false}, {"residual", ElementType::kFloat, kTokenUnmergeResidualExtents, true}};
inline constexpr OpDeclaration kTokenUnmerge = {"TokenUnmerge", kTokenUnmergeInputs, {"restored", ElementType::kFloat, kTokenUnmergeRestoredExtents, false}, {}};
// clang-format on

// clang-format off
inline constexpr std::string_view kUpsampleArgmaxLogitsExtents[] = {"B", "K", "h", "w"};
inline constexpr std::string_view kUpsampleArgmaxLabelsExtents[] = {"B", "height", "width"};
inline constexpr TensorDeclaration kUpsampleArgmaxInputs[] = {{"logits", ElementType::kFloat, kUpsampleArgmaxLogitsExtents, false}};
inline constexpr const char* kUpsampleArgmaxAttributes[] = {"height", "width"};
inline constexpr OpDeclaration kUpsampleArgmax = {"UpsampleArgmax", kUpsampleArgmaxInputs, {"labels", ElementType::kUint8, kUpsampleArgmaxLabelsExtents, false}, kUpsampleArgmaxAttributes};
// clang-format on

}  // namespace segpp::declarations
