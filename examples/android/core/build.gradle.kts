// The app's logic and the generated bindings: plain Kotlin, no androidx, so that it is tested on any JVM.
plugins {
    alias(libs.plugins.kotlin.jvm)
}

fun folder(property: String) = rootDir.resolve(providers.gradleProperty(property).get())

// The jar itself brings a library for the machine it was made on; a phone's app takes the sources.
val bindings by tasks.registering(Sync::class) {
    from({ fileTree(folder("privet.bindings")).matching { include("privet-*-sources.jar") }.map(::zipTree) }) { include("**/*.kt") }
    into(layout.buildDirectory.dir("bindings"))
}

kotlin {
    jvmToolchain(17)
    sourceSets.main { kotlin.srcDir(bindings) }
}

dependencies {
    api(libs.coroutines.core)
    // On Android it is an AAR with a library for the phone, which :app brings.
    compileOnly(libs.jna)
    testImplementation(libs.jna)
    testImplementation(libs.junit)
    testRuntimeOnly(libs.junit.launcher)
}

tasks.test {
    useJUnitPlatform()
    systemProperty("jna.library.path", folder("privet.library"))
}
