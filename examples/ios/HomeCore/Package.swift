// swift-tools-version: 6.0
// The app's logic: Foundation and the generated bindings, no UIKit, so that `swift test` runs it on a Mac without a simulator.
import Foundation
import PackageDescription

// What `./dev bindings` makes: the product Privet, the generated Swift over an xcframework. Its tests are run over another.
let privet = ProcessInfo.processInfo.environment["PRIVET_SWIFT_PACKAGE"] ?? "../../../target/bindings/swift"

let package = Package(
    name: "HomeCore",
    platforms: [.iOS(.v17), .macOS(.v14)],
    products: [.library(name: "HomeCore", targets: ["HomeCore"])],
    dependencies: [.package(name: "Privet", path: privet)],
    targets: [
        .target(
            name: "HomeCore",
            dependencies: [.product(name: "Privet", package: "Privet")],
            // The library asks the system about certificates; a static library can't say so itself.
            linkerSettings: [.linkedFramework("Security", .when(platforms: [.iOS, .macOS]))]
        ),
        .testTarget(name: "HomeCoreTests", dependencies: ["HomeCore", .product(name: "Privet", package: "Privet")]),
    ],
    swiftLanguageModes: [.v5]
)
