// swift-tools-version:5.9
// Privet's phone side for Swift. The C part is `PrivetFFI.xcframework` where somebody built it (README.md), else a library on the
// linker's path, as on Linux.
import Foundation
import PackageDescription

let here = URL(fileURLWithPath: #filePath).deletingLastPathComponent().path
let hasFramework = FileManager.default.fileExists(atPath: here + "/PrivetFFI.xcframework")

let package = Package(
    name: "Privet",
    platforms: [.iOS(.v15), .macOS(.v12)],
    products: [.library(name: "Privet", targets: ["Privet"])],
    targets: [
        hasFramework
            ? .binaryTarget(name: "PrivetFFI", path: "PrivetFFI.xcframework")
            : .systemLibrary(name: "PrivetFFI", path: "Sources/PrivetFFI"),
        .target(
            name: "Privet",
            dependencies: ["PrivetFFI"],
            linkerSettings: hasFramework ? [] : [.linkedLibrary("privet_uniffi")]
        ),
    ]
)
