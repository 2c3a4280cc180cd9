// swift-tools-version: 5.9
// The phone's side in Swift against a real house: `./dev test swift`, which says where the package is that is tested.
import Foundation
import PackageDescription

let privet = ProcessInfo.processInfo.environment["PRIVET_SWIFT_PACKAGE"] ?? "../../../../target/bindings/swift"

let package = Package(
    name: "Phones",
    platforms: [.macOS(.v12)],
    dependencies: [.package(name: "Privet", path: privet)],
    targets: [
        // Another process with a phone's store.
        .executableTarget(name: "Other", dependencies: [.product(name: "Privet", package: "Privet")]),
        .testTarget(name: "PhonesTests", dependencies: ["Other", .product(name: "Privet", package: "Privet")]),
    ]
)
